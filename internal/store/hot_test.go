package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/store/plantest"
)

// hot are what every submission asks, and every pass of the loops.
var hot = map[string]func(ctx context.Context, tx Tx) error{
	"Clusters":          func(ctx context.Context, tx Tx) error { _, _, err := tx.Clusters(ctx, "", Page{}); return err },
	"LockCluster":       func(ctx context.Context, tx Tx) error { _, err := tx.LockCluster(ctx, "c"); return err },
	"RenewLeases":       func(ctx context.Context, tx Tx) error { _, err := tx.RenewLeases(ctx, "here", now); return err },
	"OpenTasks":         func(ctx context.Context, tx Tx) error { _, err := tx.OpenTasks(ctx, "c"); return err },
	"OpenJobs":          func(ctx context.Context, tx Tx) error { _, err := tx.OpenJobs(ctx, "c"); return err },
	"OpenJobsOfQueue":   func(ctx context.Context, tx Tx) error { _, err := tx.OpenJobsOfQueue(ctx, "c", "q"); return err },
	"UnreleasedJobs":    func(ctx context.Context, tx Tx) error { _, err := tx.UnreleasedJobs(ctx); return err },
	"ResubmittedTokens": func(ctx context.Context, tx Tx) error { _, err := tx.ResubmittedTokens(ctx, "c"); return err },
	"JobsOfSched":       func(ctx context.Context, tx Tx) error { _, err := tx.JobsOfSched(ctx, "c", some("", 40)); return err },
	"JobsOfPublic":      func(ctx context.Context, tx Tx) error { _, err := tx.JobsOfPublic(ctx, "c", some("", 40)); return err },
	"TokensWithoutJob": func(ctx context.Context, tx Tx) error {
		_, err := tx.TokensWithoutJob(ctx, "c", some("t", 40))
		return err
	},
	"Job and SaveJob": saveAgain,
	"NoteReleased": func(ctx context.Context, tx Tx) error {
		return tx.NoteReleased(ctx, []*Job{{ID: jobName(7), SchedID: "7"}}, now)
	},
	"UnwantJobsOf":    func(ctx context.Context, tx Tx) error { return tx.UnwantJobsOf(ctx, "c", "ada", now) },
	"changed entries": func(ctx context.Context, tx Tx) error { _, err := changedJobs(ctx, tx, "c", 1, 9); return err },
	"OpenRuns":        func(ctx context.Context, tx Tx) error { _, err := tx.OpenRuns(ctx, "c"); return err },
	"RunsToMeasure":   func(ctx context.Context, tx Tx) error { _, err := tx.RunsToMeasure(ctx, "c", 100); return err },
	"RecordRuns": func(ctx context.Context, tx Tx) error {
		return tx.RecordRuns(ctx, "c", Ledger{Ended: []string{jobName(7)}})
	},
	"UsedBy":       func(ctx context.Context, tx Tx) error { _, err := tx.UsedBy(ctx, jobName(7)); return err },
	"OpenSpans":    func(ctx context.Context, tx Tx) error { _, err := tx.OpenSpans(ctx, "c"); return err },
	"OpenCommands": func(ctx context.Context, tx Tx) error { _, err := tx.OpenCommands(ctx); return err },
	"ClientToken":  func(ctx context.Context, tx Tx) error { _, err := tx.ClientToken(ctx, "key", "t7"); return err },
}

func saveAgain(ctx context.Context, tx Tx) error {
	j, err := tx.Job(ctx, jobName(7))
	if err != nil {
		return err
	}
	return tx.SaveJob(ctx, j)
}

func jobName(i int) string { return fmt.Sprintf("j%07d", i) }

func some(prefix string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint(prefix, i*311))
	}
	return list
}

// pastJobs is how many ended jobs the store has; one of a hundred goes on beside.
const pastJobs = 20_000

func withHistory(t testing.TB, p Place) *Store {
	s := withCluster(t, p)
	change(t, s, func(ctx context.Context, tx Tx) error {
		var jobs []*Job
		var runs []*Run
		for i := range pastJobs {
			j := &Job{ID: jobName(i), ClusterID: "c", PublicID: fmt.Sprint(i), SchedID: fmt.Sprint(i), Token: fmt.Sprint("t", i), Owner: "ada", Queue: "q",
				State: hpc.JobCompleted, Wanted: true, Released: true, NodeList: []string{}, Submitted: now, Ended: now.Add(time.Duration(i) * time.Second), Modified: now}
			r := &Run{ClusterID: "c", JobID: j.ID, PublicID: j.PublicID, SchedID: j.SchedID, Account: "ada", Queue: "q", Started: now, Submitted: now, Ended: now.Add(time.Minute), State: j.State, Measured: true}
			if i%1000 == 999 {
				j.Ended, r.Ended, r.Measured = time.Time{}, time.Time{}, false
			}
			jobs, runs = append(jobs, j), append(runs, r)
		}
		for part := range slices.Chunk(jobs, 500) {
			if err := tx.InsertJob(ctx, part...); err != nil {
				return err
			}
		}
		for part := range slices.Chunk(runs, 500) {
			if _, err := tx.db.NewInsert().Model(&part).Exec(ctx); err != nil {
				return err
			}
		}
		for i := range 2000 {
			c := &Cluster{ID: fmt.Sprint("gone", i), Owner: "o", Created: now, Changed: now, Deleted: now}
			token := &ClientToken{AccessKey: "key", Token: fmt.Sprint("t", i), Created: now}
			command := &Command{ID: fmt.Sprint("cmd", i), ClusterID: "c", Created: now}
			result := &CommandResult{CommandID: command.ID, NodeID: "i-1", Status: hpc.CommandFinished, Finished: now}
			for _, row := range []any{c, token, command, result} {
				if _, err := tx.db.NewInsert().Model(row).Exec(ctx); err != nil {
					return err
				}
			}
		}
		// So that there is something newer than the rows that every listing knows.
		_, err := tx.db.ExecContext(ctx, "UPDATE jobs SET seq = 1")
		return err
	})
	return s
}

// TestHotQueriesReadWhatTheyReturn holds the plans of what is asked all the time,
// in a store with a history.
func TestHotQueriesReadWhatTheyReturn(t *testing.T) {
	t.Parallel()
	for engine, check := range map[string]func(t *testing.T, s *Store, query string){"sqlite": plannedBySQLite, "postgres": readByPostgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var said []string
			p := engines[engine](t)
			p.Watch = func(ctx context.Context, query string) context.Context {
				said = append(said, query)
				return ctx
			}
			s := withHistory(t, p)
			if engine == "postgres" {
				if _, err := s.write.ExecContext(t.Context(), "ANALYZE"); err != nil { // as it does for itself, in its time
					t.Fatal(err)
				}
			}
			for name, ask := range hot {
				said = nil
				change(t, s, ask)
				queries := slices.Clone(said)
				t.Run(name+" does not read what is over", func(t *testing.T) {
					if len(queries) == 0 {
						t.Fatal("it asked for nothing")
					}
					for _, query := range queries {
						check(t, s, query)
					}
				})
			}
		})
	}
}

func plannedBySQLite(t *testing.T, s *Store, query string) {
	t.Helper()
	var q plantest.Queries
	q.Note(t.Context(), query)
	if err := q.Check(t.Context(), s.write.DB); err != nil {
		t.Error(err)
	}
}

// mayRead is how many rows a query may look at: all that goes on, and some.
const mayRead = 300

// readByPostgres carries out a query and counts the rows that it looked at.
func readByPostgres(t *testing.T, s *Store, query string) {
	t.Helper()
	if verb, _, _ := strings.Cut(query, " "); verb != "SELECT" && verb != "UPDATE" && verb != "DELETE" {
		return
	}
	var text string
	tx, err := s.write.DB.BeginTx(t.Context(), nil)
	if err == nil {
		defer tx.Rollback()
		err = tx.QueryRowContext(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) "+query).Scan(&text)
	}
	if err != nil {
		t.Fatal(err)
	}
	var plans []struct{ Plan node }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}
	for _, p := range plans {
		p.Plan.each(func(n node) {
			if rows := (n.Rows + n.Filtered) * n.Loops; slices.Contains(plantest.Growing, n.Table) && rows > mayRead {
				t.Errorf("%s %s of %s looks at %.0f rows\n\tby %.500s", n.Type, n.Index, n.Table, rows, query)
			}
		})
	}
}

// node is a step of PostgreSQL's plan, and what it did.
type node struct {
	Type     string  `json:"Node Type"`
	Table    string  `json:"Relation Name"`
	Index    string  `json:"Index Name"`
	Rows     float64 `json:"Actual Rows"`
	Filtered float64 `json:"Rows Removed by Filter"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []node
}

func (n node) each(see func(node)) {
	see(n)
	for _, p := range n.Plans {
		p.each(see)
	}
}
