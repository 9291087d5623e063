package store

import (
	"context"
	"testing"

	"ehpc/internal/hpc"
)

// A row that is changed again while a listing reads what has changed is listed
// all the same.
func TestARowThatChangesWhileItIsReadIsListed(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := withCluster(t, place())
		look := func(k shape[jobEntry]) (listed int) {
			t.Helper()
			if err := s.jobs.view(t.Context(), s.Read(), k, "c", func(all []jobEntry) { listed = len(all) }); err != nil {
				t.Fatal(err)
			}
			return listed
		}
		look(jobShape)
		job := &Job{ID: "j1", ClusterID: "c", PublicID: "1", State: hpc.JobPending, NodeList: []string{}, Submitted: now, Modified: now}
		change(t, s, func(ctx context.Context, tx Tx) error { return tx.InsertJob(ctx, job) })
		overtaken := jobShape
		overtaken.changed = func(ctx context.Context, tx Tx, clusterID string, after, upTo int64) ([]jobEntry, error) {
			change(t, s, func(ctx context.Context, tx Tx) error { return tx.SaveJob(ctx, job) })
			return jobShape.changed(ctx, tx, clusterID, after, upTo)
		}
		if n := look(overtaken); n != 1 {
			t.Errorf("%d jobs are listed", n)
		}
	})
}
