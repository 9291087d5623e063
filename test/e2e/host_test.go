package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ehpc/test/e2e/rig"
)

func TestAMachineThatCannotRunNodesIsToldWhatItLacks(t *testing.T) {
	t.Parallel()
	t.Run("without runc", func(t *testing.T) {
		t.Parallel()
		script := `mount --bind /dev/null "$(command -v runc)" && exec "$@"`
		dev := devCommand(t, t.TempDir())
		cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"--mount", "sh", "-c", script, "sh"}, dev...)...)
		refusesToStart(t, cmd, "apt-get install runc")
	})
	t.Run("without root", func(t *testing.T) {
		t.Parallel()
		const nobody = 65534
		dir, err := os.MkdirTemp("/var/tmp", "ehpc-e2e-")
		rig.Must(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		rig.Must(t, os.Chown(dir, nobody, nobody))
		dev := devCommand(t, filepath.Join(dir, "data"))
		cmd := exec.CommandContext(t.Context(), dev[0], dev[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		refusesToStart(t, cmd, "run this with sudo")
	})
}

func devCommand(t *testing.T, data string) []string {
	return []string{rig.Program(t, "ehpc"), "dev", "--data", data, "--listen", "127.0.0.1:0"}
}

// refusesToStart holds a refusal to one line that says what to do.
func refusesToStart(t *testing.T, cmd *exec.Cmd, remedy string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want exit status 1", err)
	}
	text := strings.TrimSpace(string(out))
	if !strings.HasPrefix(text, "ehpc: ") || !strings.Contains(text, remedy) || strings.Count(text, "\n") > 2 || strings.Contains(text, "goroutine") {
		t.Errorf("it says\n%s\nwant one message with %q", text, remedy)
	}
}
