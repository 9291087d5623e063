package reconcile

import (
	"context"
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
	byCluster := map[string][]*store.Job{}
	for _, row := range rows {
		byCluster[row.ClusterID] = append(byCluster[row.ClusterID], row)
	}
	for clusterID, rows := range byCluster {
		ctx, here := ctl.held(ctx, clusterID)
		if !here {
			continue
		}
		ctl.steps.follow(ctx, "release "+clusterID, 0, func() {
			err := settled(ctl.release(ctx, clusterID, rows))
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

func (ctl *Control) release(ctx context.Context, clusterID string, rows []*store.Job) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	rows, err := ctl.payable(ctx, clusterID, rows)
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
