package ehpctest

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"testing"

	"ehpc/internal/store"
	"ehpc/internal/store/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m, checkPlans) }

// checkPlans holds what all planes asked their stores to plans that do not grow
// with the tables.
func checkPlans() (err error) {
	dir, err := os.MkdirTemp("", "ehpc-plans")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(context.Background(), dir, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer s.Close()
	db, err := sql.Open("sqlite", "file:"+dir+"/ehpc.db?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	return queries.Check(context.Background(), db)
}

// onEveryEngine runs a test on each engine that the store can be on.
func onEveryEngine(t *testing.T, test func(t *testing.T, engine string)) {
	t.Parallel()
	for _, engine := range []string{sqlite, postgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, engine)
		})
	}
}
