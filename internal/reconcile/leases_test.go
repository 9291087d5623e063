package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ehpc/internal/auth"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
	"ehpc/internal/store/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// openStore is a store that goes with the test.
func openStore(t testing.TB, p store.Place) *store.Store {
	t.Helper()
	sealer, err := auth.OpenSealer(filepath.Join(p.Dir, "key"))
	fatal(t, err)
	s, err := store.OpenAt(t.Context(), p, sealer, slog.New(slog.DiscardHandler))
	fatal(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// withCluster is a store with one cluster, made by a server of that home.
func withCluster(t *testing.T, p store.Place, home string) (*store.Store, *store.Cluster) {
	t.Helper()
	s := openStore(t, p)
	c := &store.Cluster{ID: "c", Status: hpc.ClusterUninit, Wanted: true, Created: time.Now(), Home: home}
	err := s.Change(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.InsertCluster(ctx, c, hpc.Secrets{}) })
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func serverOf(s *store.Store, name string) *Control {
	return New(Options{Store: s, Server: name, Home: name, Limits: Limits{Every: time.Second, Lease: time.Minute}, Log: slog.New(slog.DiscardHandler)})
}

func TestWhatAServerWritesAfterItsLeaseIsRefused(t *testing.T) {
	t.Parallel()
	for engine, url := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return pgtest.URL(t) }} {
		t.Run(engine, func(t *testing.T) {
			s, c := withCluster(t, store.Place{Dir: t.TempDir(), URL: url()}, "")
			a, b := serverOf(s, "a"), serverOf(s, "b")
			write := func(ctl *Control, ctx context.Context, line string) error {
				return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
					return tx.Log(ctx, c.ID, "Test", store.Info, line, time.Now())
				})
			}
			under, held := a.hold(t.Context(), c)
			if !held {
				t.Fatal("the first server does not get the lease")
			}
			if err := write(a, under, "kept"); err != nil {
				t.Errorf("its holder is refused: %v", err)
			}
			if _, held := b.hold(t.Context(), c); held {
				t.Error("a second server holds it too")
			}
			if err := a.passLeases(t.Context()); err != nil {
				t.Error(err)
			}
			// As if a had not renewed it for so long.
			err := s.Change(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.EndLeases(ctx, "a", time.Now()) })
			if err != nil {
				t.Fatal(err)
			}
			b = serverOf(s, "b")
			if _, held := b.hold(t.Context(), c); !held {
				t.Fatal("the second server does not get what has run out")
			}
			if err := write(a, under, "late"); !errors.Is(err, store.ErrFenced) {
				t.Errorf("a late write: err = %v, want ErrFenced", err)
			}
			if _, n, err := s.Read().Logs(t.Context(), c.ID, store.Page{}); err != nil || n != 1 {
				t.Errorf("%d lines, %v: the late one was written", n, err)
			}
			if _, held := a.hold(t.Context(), c); held {
				t.Error("the first server believes that it still holds it")
			}
		})
	}
}

func TestAServerThatWasPutAsideNoticesAtItsNextRenewal(t *testing.T) {
	t.Parallel()
	s, c := withCluster(t, store.Place{Dir: t.TempDir()}, "")
	a, b := serverOf(s, "a"), serverOf(s, "b")
	a.hold(t.Context(), c)
	err := s.Change(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.EndLeases(ctx, "a", time.Now()) })
	if err != nil {
		t.Fatal(err)
	}
	b.hold(t.Context(), c)
	if err := a.passLeases(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, held := a.held(t.Context(), c.ID); held {
		t.Error("it believes that it still holds the lease")
	}
}

func TestAServerLeavesAloneWhatItDoesNotReach(t *testing.T) {
	t.Parallel()
	s, c := withCluster(t, store.Place{Dir: t.TempDir()}, "a")
	if _, held := serverOf(s, "b").hold(t.Context(), c); held {
		t.Error("it took the lease of a cluster on another machine")
	}
	if _, held := serverOf(s, "a").hold(t.Context(), c); !held {
		t.Error("the cluster's own server does not get the lease")
	}
}

// TestTheLoopsWriteThroughTheFence reads the code: only what concerns no cluster
// may be written without a lease.
func TestTheLoopsWriteThroughTheFence(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") || file == "fence.go" || file == "sweep.go" {
			continue
		}
		if strings.Contains(string(text), "Store.Change(") {
			t.Errorf("%s writes with Store.Change, which no lease guards: use change", file)
		}
	}
}
