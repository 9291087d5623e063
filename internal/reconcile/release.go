package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// forceNode has a node whose drain limit has passed go with its jobs.
func (ctl *Control) forceNode(ctx context.Context, n *store.Node) error {
	err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.ForceNode(ctx, n); err != nil {
			return err
		}
		line := fmt.Sprintf("node %s is not waited for any longer: its drain limit has passed", n.Hostname)
		return tx.Log(ctx, n.ClusterID, "DeleteNodes", store.Warn, line, time.Now())
	})
	ctl.nodes.Wake()
	return err
}

func (ctl *Control) releaseNode(ctx context.Context, v *clusterView, n *store.Node) error {
	if v.Cluster.Wanted && v.Sched != nil && n.HasRole(hpc.RoleCompute) {
		if err := ctl.leaveScheduler(ctx, v, n); err != nil {
			return err
		}
	}
	if err := ctl.Provider.Destroy(ctx, n.ID); err != nil {
		return err
	}
	ctl.Links.Forget(n.ID)
	err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.DropNode(ctx, n.ID, time.Now()); err != nil {
			return err
		}
		if err := tx.FailResults(ctx, n.ID, "the node was deleted while the command ran", time.Now()); err != nil {
			return err
		}
		return tx.Log(ctx, n.ClusterID, "DeleteNodes", store.Info, fmt.Sprintf("node %s (%s) is gone", n.Hostname, n.ID), time.Now())
	})
	if errors.Is(err, store.ErrNotFound) { // an earlier pass has said so
		return nil
	}
	return err
}

// leaveScheduler takes a node out of the scheduler; with its jobs, if they are not
// waited for or have gone with its machine.
func (ctl *Control) leaveScheduler(ctx context.Context, v *clusterView, n *store.Node) error {
	sched := ctl.Links.Scheduler(v.manager().ID)
	if _, known := v.Sched[n.Hostname]; known && (n.Force || v.dead(n)) {
		if err := ctl.cutOff(ctx, sched, v, n); err != nil && !errors.Is(err, scheduler.ErrNotFound) {
			return err
		}
	}
	return sched.Remove(ctx, n.Hostname)
}

// cutOff has the jobs of a node go back to the queue or fail, and tells which.
func (ctl *Control) cutOff(ctx context.Context, sched scheduler.Scheduler, v *clusterView, n *store.Node) error {
	lost, err := ctl.jobsOn(ctx, sched, v.Cluster, n)
	if err != nil {
		return err
	}
	reason := "the node is deleted"
	if n.Force {
		reason = "it was deleted, and its jobs were not waited for"
	}
	if err := sched.Down(ctx, n.Hostname, "ehpc: "+reason); err != nil {
		return err
	}
	ctl.jobs.Wake()
	if lost == "" {
		return nil
	}
	return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.Log(ctx, n.ClusterID, "DeleteNodes", store.Warn, fmt.Sprintf("node %s goes before its jobs have ended: %s", n.Hostname, lost), time.Now())
	})
}
