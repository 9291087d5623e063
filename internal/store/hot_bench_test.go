package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// BenchmarkHot measures what each submission asks, and each pass of the loops,
// with 10,000 and 100,000 jobs that have ended and a hundred that have not.
func BenchmarkHot(b *testing.B) {
	for _, ended := range []int{10_000, 100_000} {
		s := withCluster(b, engines["sqlite"](b))
		change(b, s, func(ctx context.Context, tx Tx) error {
			var jobs []*Job
			for i := range ended + 100 {
				id := fmt.Sprint(i)
				j := &Job{ID: NewID(), ClusterID: "c", PublicID: id, SchedID: id, Token: "t" + id, State: hpc.JobCompleted, Wanted: true, Released: true,
					NodeList: []string{}, Submitted: now, Ended: now, Modified: now}
				if i%(ended/100+1) == 0 {
					j.State, j.Ended = hpc.JobPending, time.Time{}
				}
				jobs = append(jobs, j)
			}
			for part := range slices.Chunk(jobs, 500) {
				if err := tx.InsertJob(ctx, part...); err != nil {
					return err
				}
			}
			return nil
		})
		for name, ask := range map[string]func(ctx context.Context, tx Tx) error{
			"OpenTasks":   func(ctx context.Context, tx Tx) error { _, err := tx.OpenTasks(ctx, "c"); return err },
			"OpenJobs":    func(ctx context.Context, tx Tx) error { _, err := tx.OpenJobs(ctx, "c"); return err },
			"JobsOfSched": func(ctx context.Context, tx Tx) error { _, err := tx.JobsOfSched(ctx, "c", []string{"17"}); return err },
			"JobsOfPublic": func(ctx context.Context, tx Tx) error {
				_, err := tx.JobsOfPublic(ctx, "c", []string{"17"})
				return err
			},
			"UnreleasedJobs":    func(ctx context.Context, tx Tx) error { _, err := tx.UnreleasedJobs(ctx); return err },
			"ResubmittedTokens": func(ctx context.Context, tx Tx) error { _, err := tx.ResubmittedTokens(ctx, "c"); return err },
		} {
			b.Run(fmt.Sprintf("%s/%d", name, ended), func(b *testing.B) {
				for b.Loop() {
					if err := ask(b.Context(), s.Read()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("Submission/%d", ended), func(b *testing.B) {
			for b.Loop() {
				change(b, s, func(ctx context.Context, tx Tx) error {
					if _, err := tx.OpenTasks(ctx, "c"); err != nil {
						return err
					}
					return tx.InsertJob(ctx, &Job{ID: NewID(), ClusterID: "c", State: hpc.JobAccepted, NodeList: []string{}, Submitted: now, Ended: now, Modified: now})
				})
			}
		})
	}
}
