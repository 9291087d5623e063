package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestAuthorizedKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		home     os.FileMode
		dir, key os.FileMode // 0: not there
		uid      int
		want     string
		refused  bool
	}{
		{"the account's own keys are read", 0o700, 0o700, 0o600, os.Getuid(), "keys", false},
		{"others may read them", 0o755, 0o755, 0o644, os.Getuid(), "keys", false},
		{"no file is no keys", 0o700, 0o700, 0, os.Getuid(), "", false},
		{"no directory is no keys", 0o700, 0, 0, os.Getuid(), "", false},
		{"a file that others may write is refused", 0o700, 0o700, 0o622, os.Getuid(), "", true},
		{"a directory that the group may write is refused", 0o700, 0o770, 0o600, os.Getuid(), "", true},
		{"a home that everybody may write is refused", 0o777, 0o700, 0o600, os.Getuid(), "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			dir := filepath.Join(home, ".ssh")
			must := func(err error) {
				if err != nil {
					t.Fatal(err)
				}
			}
			if c.dir != 0 {
				must(os.Mkdir(dir, 0o700))
			}
			if c.key != 0 {
				must(os.WriteFile(filepath.Join(dir, "authorized_keys"), []byte("keys"), 0o600))
				must(os.Chmod(filepath.Join(dir, "authorized_keys"), c.key))
			}
			if c.dir != 0 {
				must(os.Chmod(dir, c.dir))
			}
			must(os.Chmod(home, c.home))
			var got bytes.Buffer
			err := GetAuthorizedKeys(home, c.uid, &got)
			if (err != nil) != c.refused || got.String() != c.want {
				t.Errorf("got %q, %v", got.String(), err)
			}
		})
	}
	t.Run("a link to another's keys is refused", func(t *testing.T) {
		t.Parallel()
		home, other := t.TempDir(), t.TempDir()
		if err := os.WriteFile(filepath.Join(other, "authorized_keys"), []byte("keys"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(other, filepath.Join(home, ".ssh")); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := GetAuthorizedKeys(home, os.Getuid(), &got); err == nil || got.Len() > 0 {
			t.Errorf("got %q, %v", got.String(), err)
		}
	})
}
