package store

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAStoreWhoseFilesAreNotThereAnyMoreIsLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string) error
		says   string // "" if nothing is lost
	}{
		"a directory that was left alone": {func(*testing.T, string) error { return nil }, ""},
		"a directory that was removed":    {func(_ *testing.T, dir string) error { return os.RemoveAll(dir) }, "was removed"},
		"a directory that was moved":      {func(_ *testing.T, dir string) error { return os.Rename(dir, dir+".old") }, "was removed"},
		"a store that was removed":        {func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, dbFile)) }, dbFile + " was removed"},
		"a directory that was made anew": {func(t *testing.T, dir string) error {
			if err := os.Rename(dir, dir+".old"); err != nil {
				return err
			}
			s, err := Open(t.Context(), dir, nil, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			return s.Close()
		}, "is another file than the one that was opened"},
		"a directory that was made a file": {func(_ *testing.T, dir string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.WriteFile(dir, nil, 0o600)
		}, "was removed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			s, err := Open(t.Context(), dir, nil, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := c.change(t, dir); err != nil {
				t.Fatal(err)
			}
			if err := s.Lost(); (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, expected %q", err, c.says)
			}
		})
	}
}
