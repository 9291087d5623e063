package store

import (
	"context"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

func TestRunsAreMeasuredOnce(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := open(t, place())
		run := func(job string, from, to int) *Run {
			r := &Run{ClusterID: "c", JobID: job, OwnID: job, Started: now.Add(time.Duration(from) * time.Minute), State: hpc.JobCompleted,
				Shares: []hpc.NodeShare{{Host: "compute000", Cores: 2}}, Submitted: now}
			if to > 0 {
				r.Ended = now.Add(time.Duration(to) * time.Minute)
			}
			return r
		}
		change(t, s, func(ctx context.Context, tx Tx) error {
			return tx.RecordRuns(ctx, "c", Ledger{Runs: []*Run{run("a", 0, 1), run("a", 2, 3), run("b", 0, 2), run("b", 4, 0)}})
		})
		due := func(limit int64) []*RunToMeasure {
			t.Helper()
			rows, err := s.Read().RunsToMeasure(t.Context(), "c", limit)
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		rows := due(10)
		if len(rows) != 3 || len(due(2)) != 2 {
			t.Fatalf("%d are to be measured", len(rows))
		}
		a1, b1, a2 := rows[0], rows[1], rows[2]
		if a1.OwnID != "a" || !a1.First || !a1.Next.Equal(a2.Started) || a1.Shares[0].Host != "compute000" || a2.First || !a2.Next.IsZero() || !b1.Next.Equal(now.Add(4*time.Minute)) {
			t.Errorf("they are %+v, %+v and %+v", a1, b1, a2)
		}
		energy := int64(5)
		measure := func(r *RunToMeasure, f Figures) {
			change(t, s, func(ctx context.Context, tx Tx) error { return tx.Measure(ctx, r, f) })
		}
		measure(a1, Figures{MeasuredOn: 1, CPUTime: time.Second, MaxMemory: 10, Energy: &energy})
		measure(a1, Figures{MeasuredOn: 1, CPUTime: time.Hour})
		measure(a2, Figures{MeasuredOn: 1, CPUTime: 2 * time.Second, MaxMemory: 7})
		measure(b1, Figures{})
		change(t, s, func(ctx context.Context, tx Tx) error { // told again, it is measured still
			return tx.RecordRuns(ctx, "c", Ledger{Runs: []*Run{run("a", 0, 1), run("b", 0, 1)}})
		})
		if rows := due(10); len(rows) != 0 {
			t.Errorf("%d are to be measured again", len(rows))
		}
		for job, want := range map[string]Figures{"a": {2, 3 * time.Second, 10, &energy}, "b": {}} {
			f, err := s.Read().UsedBy(t.Context(), job)
			if err != nil || f.MeasuredOn != want.MeasuredOn || f.CPUTime != want.CPUTime || f.MaxMemory != want.MaxMemory || (f.Energy == nil) != (want.Energy == nil) {
				t.Errorf("job %s used %+v, %v", job, f, err)
			}
		}
	})
}
