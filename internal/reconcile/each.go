package reconcile

import (
	"context"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// eachCluster starts do for the clusters among which that this server looks
// after, beside each other, each for no longer than limit, and none while it
// still runs for the same: then it follows, at its pace. What fails is logged as
// the complaint, once while it lasts. The loops that make clusters and nodes take
// the leases.
func (ctl *Control) eachCluster(ctx context.Context, which func(*store.Cluster) bool, name string, limit time.Duration, complaint string, do func(context.Context, *store.Cluster) error) (ours map[string]bool, err error) {
	clusters, _, err := ctl.Store.Read().Clusters(ctx, "", store.Page{})
	if err != nil {
		return nil, err
	}
	ours = map[string]bool{}
	for _, c := range clusters {
		ctx, here := ctl.held(ctx, c.ID)
		if !here || !which(c) {
			continue
		}
		ours[c.ID] = true
		key := name + " " + c.ID
		ctl.steps.follow(ctx, key, ctl.Limits.Every, func() {
			within, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			err := settled(do(within, c))
			if ctx.Err() == nil && ctl.said.news(key, err) {
				ctl.Log.Warn(complaint, "cluster", c.ID, "err", err)
			}
		})
	}
	return ours, nil
}

// runs tells whether a cluster takes jobs, and is to.
func runs(c *store.Cluster) bool { return c.Wanted && c.Status == hpc.ClusterRunning }

// serves tells whether a cluster may have jobs to look after.
func serves(c *store.Cluster) bool {
	return runs(c) || c.Wanted && c.Status == hpc.ClusterException
}
