package store

import (
	"context"
	"fmt"
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/store/pgtest"
)

// durably are the engines as they are served: a commit is on the disk.
var durably = map[string]func(testing.TB) Place{
	"sqlite":   engines["sqlite"],
	"postgres": func(t testing.TB) Place { return Place{Dir: t.TempDir(), URL: pgtest.Own(t).Schema(t)} },
}

// BenchmarkCommit measures durable transactions that decide on a cluster.
func BenchmarkCommit(b *testing.B) {
	for name, place := range durably {
		b.Run(name, func(b *testing.B) {
			s := withCluster(b, place(b))
			for b.Loop() {
				change(b, s, func(ctx context.Context, tx Tx) error {
					if _, err := tx.LockCluster(ctx, "c"); err != nil {
						return err
					}
					return tx.Log(ctx, "c", "Bench", Info, "line", now)
				})
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkCommitTogether is BenchmarkCommit by 8 callers on a cluster each.
func BenchmarkCommitTogether(b *testing.B) {
	for name, place := range durably {
		b.Run(name, func(b *testing.B) {
			s := open(b, place(b))
			b.SetParallelism(4)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				id := NewID()
				change(b, s, func(ctx context.Context, tx Tx) error {
					return tx.InsertCluster(ctx, &Cluster{ID: id, Created: now, Changed: now}, hpc.Secrets{})
				})
				for pb.Next() {
					change(b, s, func(ctx context.Context, tx Tx) error {
						if _, err := tx.LockCluster(ctx, id); err != nil {
							return err
						}
						return tx.Log(ctx, id, "Bench", Info, "line", now)
					})
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkJobsPage measures a page of a listing of 10,000 jobs, its total included.
func BenchmarkJobsPage(b *testing.B) {
	for name, place := range durably {
		b.Run(name, func(b *testing.B) {
			s := withCluster(b, place(b))
			change(b, s, func(ctx context.Context, tx Tx) error {
				for i := range 10_000 {
					id := fmt.Sprint(i)
					j := &Job{ID: NewID(), ClusterID: "c", PublicID: id, SchedID: id, State: hpc.JobRunning, NodeList: []string{"compute000"}, Submitted: now, Modified: now}
					if err := tx.InsertJob(ctx, j); err != nil {
						return err
					}
				}
				return nil
			})
			for b.Loop() {
				if rows, n, err := s.Jobs(b.Context(), "c", JobFilter{}, nil, now, Page{3, 10}); err != nil || len(rows) != 10 || n != 10_000 {
					b.Fatalf("%d of %d jobs, %v", len(rows), n, err)
				}
			}
		})
	}
}
