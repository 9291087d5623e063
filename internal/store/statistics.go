package store

import (
	"context"
	"maps"

	"github.com/uptrace/bun"
)

// statistics are what SQLite's planner is told of the tables that grow. Without
// them it takes an index that spares it the sorting for better than one that has
// a few of the rows, and reads every job that there ever was. They are fixed, as
// ANALYZE would leave them in a store that was in use for long: a query has the
// same plan in every store, whatever it held when it was last looked at.
//
// By index: how many rows it has, and how many are alike in its first column, in
// its first two, and so on. PostgreSQL counts for itself.
var statistics = map[string]map[string]string{
	"clusters": {
		"sqlite_autoindex_clusters_1": "10000 1",
		"clusters_owner":              "10000 1000 1",
		"clusters_live":               "50 1 1",
	},
	"jobs": {
		"sqlite_autoindex_jobs_1": "1000000 1",
		"jobs_cluster":            "1000000 250000 1",
		"jobs_sched":              "1000000 250000 1",
		"jobs_public":             "1000000 250000 1",
		"jobs_token":              "1000000 250000 1",
		"jobs_seq":                "1000000 250000 2",
		"jobs_ended":              "1000000 250000 2",
		"jobs_open":               "2000 500 400",
		"jobs_unreleased":         "20 5",
		"jobs_resubmitted":        "20 5",
	},
	"past_jobs": {
		"sqlite_autoindex_past_jobs_1": "10000000 1",
		"past_jobs_public":             "10000000 2500000 1",
		"past_jobs_sched":              "10000000 2500000 1",
		"past_jobs_token":              "10000000 2500000 1",
		"past_jobs_seq":                "10000000 2500000 100",
	},
	"runs": {
		"sqlite_autoindex_runs_1": "1000000 2 2 1",
		"runs_open":               "2000 500",
		"runs_length":             "1000000 250000 12500 2",
		"runs_started":            "1000000 250000 2 1 1",
		"runs_ended":              "1000000 250000 2",
		"runs_public":             "1000000 250000 2",
		"runs_account":            "1000000 250000 2500 1 1 1",
		"runs_queue":              "1000000 250000 25000 1 1 1",
		"runs_unmeasured":         "200 50 2",
	},
	"node_spans": {
		"sqlite_autoindex_node_spans_1": "100000 2 1",
		"node_spans_open":               "1000 1",
		"node_spans_host":               "100000 25000 100 2",
		"node_spans_length":             "100000 25000 1250 2",
	},
	"cluster_logs": {
		"sqlite_autoindex_cluster_logs_1": "1000000 1",
		"cluster_logs_cluster":            "1000000 250000 1",
	},
	"tasks": {
		"sqlite_autoindex_tasks_1": "10000 1",
		"tasks_cluster":            "10000 2500 1",
	},
	"commands": {
		"sqlite_autoindex_commands_1": "10000 1",
		"commands_cluster":            "10000 2500 1",
		"commands_kind":               "10000 2500 250",
	},
	"command_results": {
		"sqlite_autoindex_command_results_1": "20000 2 1",
		"command_results_status":             "20000 20",
	},
	"client_tokens": {
		"sqlite_autoindex_client_tokens_1": "100000 10000 1",
		"client_tokens_created":            "100000 2",
	},
	"usage_sums": {
		"sqlite_autoindex_usage_sums_1": "1000000 250000 125000 50 25 2 1",
	},
}

// tellStatistics writes the statistics, where they are not there yet, and has
// them read. Connections that are made later read them by themselves.
func (s *Store) tellStatistics(ctx context.Context) error {
	if _, err := s.write.ExecContext(ctx, "ANALYZE sqlite_schema"); err != nil { // makes the table
		return err
	}
	told, err := s.toldStatistics(ctx)
	if err != nil || maps.EqualFunc(told, statistics, maps.Equal) {
		return err
	}
	err = s.write.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM sqlite_stat1"); err != nil {
			return err
		}
		for table, indexes := range statistics {
			for index, stat := range indexes {
				if _, err := tx.ExecContext(ctx, "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", table, index, stat); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = s.write.ExecContext(ctx, "ANALYZE sqlite_schema") // reads it
	return err
}

func (s *Store) toldStatistics(ctx context.Context) (map[string]map[string]string, error) {
	var rows []struct{ Tbl, Idx, Stat string }
	err := s.write.NewRaw("SELECT tbl, COALESCE(idx, '') AS idx, stat FROM sqlite_stat1").Scan(ctx, &rows)
	told := map[string]map[string]string{}
	for _, row := range rows {
		if told[row.Tbl] == nil {
			told[row.Tbl] = map[string]string{}
		}
		told[row.Tbl][row.Idx] = row.Stat
	}
	return told, err
}
