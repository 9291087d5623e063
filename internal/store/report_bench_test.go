package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// The ledger that reports are measured on: a month.
const (
	ledgerRuns  = 1_000_000
	ledgerNodes = 200
	ledgerUsers = 50
)

var ledgerBegin = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

// ledgerRun is the ith run; fillLedger writes the same in SQL.
func ledgerRun(i int) *Run {
	started := ledgerBegin.Add(time.Duration(i*2592/1000) * time.Second)
	return &Run{ClusterID: "c", Account: fmt.Sprint("user", i%ledgerUsers), Queue: fmt.Sprint("queue", i%ledgerNodes%4), State: hpc.JobCompleted, Counted: true,
		Shares: []hpc.NodeShare{{Host: fmt.Sprint("compute", i%ledgerNodes), Cores: 1 + i%4}}, Started: started, Ended: started.Add(time.Duration(60+i%37*20) * time.Second)}
}

// at is how each engine writes a time that a query tells in Unix seconds.
var at = map[string]string{"sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%S+00:00', %s, 'unixepoch')", "postgres": "to_timestamp(%s)"}

func fillLedger(b *testing.B, s *Store, engine string) {
	begin := ledgerBegin.Unix()
	started := fmt.Sprintf("%d + i * 2592 / 1000", begin)
	query := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO runs (cluster_id, job_id, task, started, public_id, sched_id, account, name, queue, shares, cores, gpus, submitted, ended, state, exit_code, final, counted, cost, length)
		SELECT 'c', 'j' || i, '', %s, CAST(i AS TEXT), CAST(i AS TEXT), 'user' || (i %% %d), 'job', 'queue' || (i %% %d %% 4),
			'[{"host":"compute' || (i %% %d) || '","cores":' || (1 + i %% 4) || '}]', 1 + i %% 4, 0, %s, %s, 'COMPLETED', 0, TRUE, TRUE, 0,
			CASE WHEN 60 + i %% 37 * 20 < 64 THEN 6 WHEN 60 + i %% 37 * 20 < 128 THEN 7 WHEN 60 + i %% 37 * 20 < 256 THEN 8 WHEN 60 + i %% 37 * 20 < 512 THEN 9 ELSE 10 END
		FROM n`, ledgerRuns-1, fmt.Sprintf(at[engine], started), ledgerUsers, ledgerNodes, ledgerNodes, fmt.Sprintf(at[engine], started),
		fmt.Sprintf(at[engine], started+" + 60 + i % 37 * 20"))
	change(b, s, func(ctx context.Context, tx Tx) error {
		for i := range ledgerNodes {
			span := &NodeSpan{NodeID: fmt.Sprint("i-", i), Began: ledgerBegin.Add(-time.Hour), ClusterID: "c", Hostname: fmt.Sprint("compute", i), Queue: fmt.Sprint("queue", i%4),
				InstanceType: fmt.Sprint("type", i%5), Cores: 16, ChargeType: PostPaid, Price: hpc.MoneyOf(0.64)}
			if _, err := tx.db.NewInsert().Model(span).Exec(ctx); err != nil {
				return err
			}
		}
		if _, err := tx.db.ExecContext(ctx, query); err != nil {
			return err
		}
		spans, err := tx.OpenSpans(ctx, "c")
		if err != nil {
			return err
		}
		sums, byName := sums{}, byHost(spans)
		for i := range ledgerRuns {
			sums.run(ledgerRun(i), byName, 1)
		}
		return tx.addSums(ctx, "c", sums)
	})
}

// BenchmarkReport measures what a report of most of a month adds up, its begin
// and its end within an hour, and the page in the middle of its runs, over
// 1,000,000 runs.
func BenchmarkReport(b *testing.B) {
	from, to := ledgerBegin.Add(25*time.Hour+17*time.Minute), ledgerBegin.Add(28*24*time.Hour+31*time.Minute)
	for name, place := range durably {
		b.Run(name, func(b *testing.B) {
			s := withCluster(b, place(b))
			fillLedger(b, s, name)
			b.Run("sums", func(b *testing.B) { measureUsage(b, s, from, to) })
			for what, f := range map[string]RunFilter{"all": {}, "user": {Account: "user7"}, "queue": {Queue: "queue1"}} {
				b.Run("page of "+what, func(b *testing.B) { measureRunsIn(b, s, from, to, f) })
			}
		})
	}
}

func measureUsage(b *testing.B, s *Store, from, to time.Time) {
	var took []time.Duration
	var jobs int
	b.ReportAllocs()
	for b.Loop() {
		begun := time.Now()
		err := s.View(b.Context(), func(ctx context.Context, tx Tx) error {
			all, err := tx.Usage(ctx, "c", from, to, to.Add(time.Hour))
			jobs = Sum(all, func(Usage) bool { return true }).Jobs
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	want := 0
	for i := range ledgerRuns {
		if r := ledgerRun(i); !r.Ended.Before(from) && r.Ended.Before(to) {
			want++
		}
	}
	if jobs != want {
		b.Fatalf("%d jobs, want %d", jobs, want)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "ms-p50")
}

func measureRunsIn(b *testing.B, s *Store, from, to time.Time, f RunFilter) {
	page := Page{Number: 1, Size: 50}
	for b.Loop() {
		err := s.View(b.Context(), func(ctx context.Context, tx Tx) error {
			runs, total, err := tx.RunsIn(ctx, "c", from, to, f, page)
			if err == nil && len(runs) != page.Size {
				err = fmt.Errorf("%d runs on page %d of %d in all", len(runs), page.Number, total)
			}
			page.Number = total / page.Size / 2
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJobEnds measures the transaction that writes down 1,000 runs.
func BenchmarkJobEnds(b *testing.B) {
	for name, place := range durably {
		b.Run(name, func(b *testing.B) {
			s := withCluster(b, place(b))
			change(b, s, func(ctx context.Context, tx Tx) error {
				return tx.BeginSpan(ctx, "i-1", hpc.MoneyOf(0.32), ledgerBegin)
			})
			n := 0
			for b.Loop() {
				l := Ledger{}
				for range 1000 {
					r := ledgerRun(n)
					r.JobID, r.PublicID, r.Counted, r.Final, r.Submitted = fmt.Sprint("j", n), fmt.Sprint(n), false, true, r.Started
					r.Shares[0].Host = "manager"
					l.Runs, l.Ended = append(l.Runs, r), append(l.Ended, r.JobID)
					n++
				}
				change(b, s, func(ctx context.Context, tx Tx) error { return tx.RecordRuns(ctx, "c", l) })
			}
		})
	}
}
