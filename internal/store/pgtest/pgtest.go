// Package pgtest gives tests a PostgreSQL of their own: a server in a temporary
// directory, on a unix socket alone, that ends with the tests. It knows nothing
// of what is kept in it.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// shared is the server of this test binary, started by the first test that asks.
var shared struct {
	once   sync.Once
	server *Server
	err    error
}

var schemas atomic.Int64

// Main runs a package's tests, then what is to be checked after all of them, and
// ends the server that they shared; it is the whole of a TestMain.
func Main(m *testing.M, after ...func() error) {
	status := m.Run()
	for _, check := range after {
		if err := check(); err != nil {
			fmt.Fprintln(os.Stderr, "FAIL:", err)
			status = max(status, 1)
		}
	}
	if s := shared.server; s != nil {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "cannot stop the tests' PostgreSQL:", err)
			status = max(status, 1)
		}
	}
	os.Exit(status)
}

// URL is the address of a new, empty schema on a server that the package's tests
// share and that promises nothing about power cuts. Without PostgreSQL the test
// is skipped; with EHPC_TEST_NO_SKIP=1 it fails. The package needs Main.
func URL(t testing.TB) string {
	t.Helper()
	if _, err := binDir(); err != nil {
		missing(t, err)
	}
	shared.once.Do(func() { shared.server, shared.err = Start("-c", "fsync=off", "-c", "synchronous_commit=off") })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server.Schema(t)
}

// Own is a server for one test alone, as durable as PostgreSQL is.
func Own(t testing.TB) *Server {
	t.Helper()
	if _, err := binDir(); err != nil {
		missing(t, err)
	}
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func missing(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("EHPC_TEST_NO_SKIP") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// Schema makes an empty schema, which is dropped with the test.
func (s *Server) Schema(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t%d", schemas.Add(1))
	s.exec(t, "CREATE SCHEMA "+name)
	t.Cleanup(func() { s.exec(t, "DROP SCHEMA "+name+" CASCADE") })
	return s.url() + "&search_path=" + name
}

func (s *Server) exec(t testing.TB, query string) {
	t.Helper()
	ctx := context.Background() // the test's own is done when it cleans up
	conn, err := pgx.Connect(ctx, s.url())
	if err == nil {
		_, err = conn.Exec(ctx, query)
		err = errors.Join(err, conn.Close(ctx))
	}
	if err != nil {
		t.Errorf("cannot %s: %v", strings.ToLower(query), err)
	}
}
