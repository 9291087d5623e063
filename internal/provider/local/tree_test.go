package local

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// nest makes directories inside each other, deeper than any path can name.
func nest(t *testing.T, dir string, depth int) {
	t.Helper()
	at, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for range depth {
		if err == nil {
			err = unix.Mkdirat(at, "d", 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		var below int
		below, err = unix.Openat(at, "d", unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		unix.Close(at)
		at = below
	}
	unix.Close(at)
}

func TestWhatANodeWroteIsRemoved(t *testing.T) {
	t.Parallel()
	t.Run("directories nested deeper than a process may have files open", func(t *testing.T) {
		t.Parallel()
		var files unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
			t.Fatal(err)
		}
		tree, err := os.MkdirTemp("/dev/shm", "ehpc-test-*") // on a disk this takes long
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { exec.Command("rm", "-rf", tree).Run() }) // what a failure leaves
		nest(t, tree, int(min(files.Cur, 30_000))+100)
		if err := removeTrees(t.Context(), tree); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(tree); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is still there: %v", err)
		}
	})
	t.Run("but not what its links point to", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		kept, tree := filepath.Join(dir, "kept"), filepath.Join(dir, "-upper")
		if err := errors.Join(os.MkdirAll(filepath.Join(kept, "file"), 0o755), os.Mkdir(tree, 0o755),
			os.Symlink(kept, filepath.Join(tree, "link")), os.Symlink(kept, filepath.Join(dir, "top"))); err != nil {
			t.Fatal(err)
		}
		if err := removeTrees(t.Context(), tree, filepath.Join(dir, "top"), filepath.Join(dir, "missing")); err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 1 {
			t.Errorf("left are %v, %v", left, err)
		}
		if _, err := os.Stat(filepath.Join(kept, "file")); err != nil {
			t.Error(err)
		}
	})
}
