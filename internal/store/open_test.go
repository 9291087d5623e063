package store

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestOnlyOneProcessHasADataDirectory(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		p := place()
		open(t, p)
		if _, err := OpenAt(t.Context(), p, plainSealer{}, slog.New(slog.DiscardHandler)); err == nil {
			t.Error("a second one got it too")
		}
	})
}

func TestTheFilesAreForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, Place{Dir: dir})
	for _, name := range []string{"ehpc.db", "ehpc.db-wal", "lock"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestServersThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	p := engines["postgres"](t)
	var all sync.WaitGroup
	for range 4 {
		dir := t.TempDir()
		all.Go(func() {
			s, err := OpenAt(t.Context(), Place{Dir: dir, URL: p.URL}, plainSealer{}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { s.Close() })
		})
	}
	all.Wait()
}

func TestAStoreOfANewerVersionIsRefused(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		p := place()
		s := open(t, p)
		_, err := s.write.NewRaw("INSERT INTO bun_migrations (name, group_id) VALUES ('29991231000000', 9)").Exec(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		_, err = OpenAt(t.Context(), p, plainSealer{}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "newer version") {
			t.Errorf("err = %v", err)
		}
	})
}

// otherSealer has another key.
type otherSealer struct{ plainSealer }

func (otherSealer) Open(string, string) ([]byte, error) { return nil, os.ErrInvalid }

func TestAServerWithAnotherKeyIsRefused(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		p := place()
		s := open(t, p)
		change(t, s, func(ctx context.Context, tx Tx) error {
			return tx.InsertKey(ctx, Key{ID: "k", Secret: "s", Created: now})
		})
		s.Close()
		_, err := OpenAt(t.Context(), p, otherSealer{}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "another key") {
			t.Errorf("err = %v", err)
		}
	})
}
