package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ehpc/internal/store"
)

// pastBatch bounds the jobs that are moved in one transaction, and so how long
// each keeps others from writing; pastRest is how many times as long as one took
// nothing is moved after it.
const (
	pastBatch = 100
	pastRest  = 4
)

// passPast moves the jobs that ended long ago out of the listings, and deletes
// those of clusters that are gone.
func (ctl *Control) passPast(ctx context.Context) error {
	err := ctl.sweepJobs(ctx)
	if err != nil || ctl.EndedJobsAfter == 0 {
		return err
	}
	clusters, _, err := ctl.Store.Read().Clusters(ctx, "", store.Page{})
	if err != nil {
		return err
	}
	var faults []error
	for _, c := range clusters {
		ctx, here := ctl.held(ctx, c.ID)
		if !here {
			continue
		}
		if err := settled(ctl.movePast(ctx, c.ID, time.Now().Add(-ctl.EndedJobsAfter))); err != nil {
			faults = append(faults, fmt.Errorf("cannot move ended jobs of cluster %s: %w", c.ID, err))
		}
	}
	return errors.Join(faults...)
}

// movePast moves a cluster's jobs that ended before a time, and says so once.
func (ctl *Control) movePast(ctx context.Context, clusterID string, before time.Time) error {
	moved, err := ctl.inBatches(ctx, func() (n int, err error) {
		there, err := ctl.Store.Read().HasPastJobs(ctx, clusterID, before)
		if err != nil || !there {
			return 0, err
		}
		err = ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
			n, err = tx.MovePastJobs(ctx, clusterID, before, pastBatch)
			return err
		})
		return n, err
	})
	if moved == 0 {
		return err
	}
	ctl.Log.Info("ended jobs moved out of the listings", "cluster", clusterID, "jobs", moved, "before", before)
	line := fmt.Sprintf("jobs that ended before %s are listed no more: %d; by their ids they are found as before", before.UTC().Format(time.RFC3339), moved)
	said := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.Log(ctx, clusterID, "Job", store.Info, line, time.Now())
	})
	if err == nil {
		err = said
	}
	return err
}

// inBatches calls do until it has done nothing, with rests for others to write.
func (ctl *Control) inBatches(ctx context.Context, do func() (int, error)) (sum int, err error) {
	for {
		begun := time.Now()
		n, err := do()
		sum += n
		if err != nil || n == 0 {
			return sum, err
		}
		if err := pause(ctx, pastRest*time.Since(begun)); err != nil {
			return sum, err
		}
	}
}
