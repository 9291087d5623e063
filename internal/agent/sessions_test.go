package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestSessionsAreCounted(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	process := func(pid, parent int, name string) {
		dir := filepath.Join(proc, fmt.Sprint(pid))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		stat := fmt.Sprintf("%d (%s) S %d 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1234 0 0", pid, name, parent)
		if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := func(n int) {
		t.Helper()
		if got, err := sessions(proc); err != nil || got != n {
			t.Errorf("%d sessions, %v, want %d", got, err, n)
		}
	}
	process(1, 0, "s6-svscan")
	process(20, 1, "sshd")
	process(30, 1, "a) S 20 (sshd")
	want(0)
	process(40, 20, "sshd") // root's half of a connection
	process(41, 40, "sshd") // the person's half
	process(42, 41, "bash")
	want(1)
	process(50, 20, "sshd-session") // as newer ones are called
	want(2)
	if _, err := sessions(filepath.Join(proc, "none")); err == nil {
		t.Error("what cannot be read has no sessions")
	}
}
