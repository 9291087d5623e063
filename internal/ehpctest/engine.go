package ehpctest

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"ehpc/internal/store"
	"ehpc/internal/store/pgtest"
	"ehpc/internal/store/plantest"
)

// The engines that a plane's store can be on.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
)

// databases are the addresses of stores by data directory, "" for SQLite, so that
// a directory's next life finds the same.
var databases sync.Map

// place is where the plane's store is.
func (o Options) place(t testing.TB) store.Place {
	t.Helper()
	if url, known := databases.Load(o.Dir); known {
		return o.at(url.(string))
	}
	url := ""
	switch engine := cmp.Or(o.Engine, os.Getenv("EHPC_TEST_STORE"), sqlite); engine {
	case sqlite:
	case postgres:
		url = pgtest.URL(t)
	default:
		t.Fatalf("no engine %q: there are %s and %s", engine, sqlite, postgres)
	}
	databases.Store(o.Dir, url)
	return o.at(url)
}

// queries are the queries that planes made of stores on SQLite.
var queries plantest.Queries

func (o Options) at(url string) store.Place {
	p := store.Place{Dir: o.Dir, URL: url, Watch: o.Watch}
	if url == "" {
		p.Watch = func(ctx context.Context, query string) context.Context {
			if ctx = queries.Note(ctx, query); o.Watch != nil {
				ctx = o.Watch(ctx, query)
			}
			return ctx
		}
	}
	return p
}

// Share makes a data directory whose plane has its store, and the key to it, in
// common with that of another directory.
func Share(t testing.TB, with string) (dir string) {
	t.Helper()
	url, known := databases.Load(with)
	if !known || url == "" {
		t.Fatalf("the store of %s is in no database that can be shared", with)
	}
	dir = t.TempDir()
	databases.Store(dir, url)
	key, err := os.ReadFile(filepath.Join(with, "sealer.key"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "sealer.key"), key, 0o600))
	return dir
}
