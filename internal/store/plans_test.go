package store

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"testing"

	"ehpc/internal/store/plantest"
)

// asked are the queries that the tests made of stores on SQLite.
var asked plantest.Queries

// checkPlans holds all of them to plans that do not grow with the tables.
func checkPlans() error {
	dir, err := os.MkdirTemp("", "ehpc-plans")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := Open(context.Background(), dir, plainSealer{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer s.Close()
	return asked.Check(context.Background(), s.read.DB)
}

func TestEveryIndexOfAGrowingTableHasStatistics(t *testing.T) {
	t.Parallel()
	s := open(t, engines["sqlite"](t))
	var rows []struct{ Name, Tbl string }
	if err := s.read.NewRaw("SELECT name, tbl_name AS tbl FROM sqlite_master WHERE type = 'index'").Scan(t.Context(), &rows); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, row := range rows {
		there[row.Name] = true
		if slices.Contains(plantest.Growing, row.Tbl) && statistics[row.Tbl][row.Name] == "" {
			t.Errorf("say in statistics what SQLite's planner is to think of index %s of table %s", row.Name, row.Tbl)
		}
	}
	for table, indexes := range statistics {
		for index := range indexes {
			if !there[index] {
				t.Errorf("table %s has no index %s any more", table, index)
			}
		}
	}
}
