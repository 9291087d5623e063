package local

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWhatTheKernelLacks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		machines               int
		inotify, pids, termini string
		want                   []string
	}{
		{10, "128\n", "4194304\n", "4096\n", nil},
		{12, "128\n", "32768\n", "4096\n", []string{"kernel.pid_max=53248"}},
		{100, "128\n", "4194304\n", "4096\n", []string{"fs.inotify.max_user_instances=264", "kernel.pty.max=26624"}},
		{4000, "", "32768\n", "2000000\n", []string{"kernel.pid_max=4194304"}},
		{1000, "", "many\n", "1000000\n", nil},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"fs/inotify/max_user_instances": c.inotify, "kernel/pid_max": c.pids, "kernel/pty/max": c.termini} {
			if text == "" {
				continue
			}
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := lacks(dir, c.machines); !slices.Equal(got, c.want) {
			t.Errorf("for %d machines it lacks %v, want %v", c.machines, got, c.want)
		}
	}
}
