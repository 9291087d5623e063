package reconcile

import (
	"cmp"
	"context"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// releaseGap is the least time between two passes that had jobs to release. The
// first job starts at once; those that are submitted in a stream go together.
const releaseGap = 50 * time.Millisecond

// passReleases lets the jobs start whose ids are committed, all of a cluster at
// once.
func (ctl *Control) passReleases(ctx context.Context) error {
	rows, err := ctl.Store.Read().UnreleasedJobs(ctx)
	if err != nil {
		return err
	}
	clusters := map[string]bool{}
	for _, row := range rows {
		clusters[row.ClusterID] = true
	}
	for clusterID := range clusters {
		ctx, here := ctl.held(ctx, clusterID)
		if !here {
			continue
		}
		ctl.steps.follow(ctx, "release "+clusterID, 0, func() {
			err := settled(ctl.release(ctx, clusterID))
			if ctx.Err() == nil && ctl.said.news("release "+clusterID, err) {
				ctl.Log.Warn("cannot release jobs", "cluster", clusterID, "err", err)
			}
		})
	}
	if len(rows) > 0 {
		pause(ctx, releaseGap)
	}
	return nil
}

// release reads the rows itself: what the pass read may have been released since,
// by the release that this one waited for. The first in the scheduler's order goes
// first, for it may start at once.
func (ctl *Control) release(ctx context.Context, clusterID string) error {
	ctx, cancel := context.WithTimeout(ctx, slowLimit)
	defer cancel()
	rows, err := ctl.Store.Read().UnreleasedJobs(ctx)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(row *store.Job) bool { return row.ClusterID != clusterID })
	slices.SortStableFunc(rows, func(a, b *store.Job) int { return cmp.Compare(b.Priority, a.Priority) })
	rows, err = ctl.payable(ctx, clusterID, rows)
	if err != nil || len(rows) == 0 {
		return err
	}
	nodes, err := ctl.Store.Nodes(ctx, clusterID)
	if err != nil {
		return err
	}
	m := (&clusterView{Nodes: nodes}).manager()
	if m == nil || m.Status != hpc.NodeRunning || !ctl.Links.Present(m.ID) {
		return nil
	}
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.SchedID
	}
	if err := ctl.Links.Scheduler(m.ID).Release(ctx, ids...); err != nil {
		return err
	}
	err = ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.NoteReleased(ctx, rows, time.Now())
	})
	ctl.scale.Wake()
	return err
}
