package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/plain"
	"ehpc/internal/provider"
	"ehpc/internal/store"
)

// passClusters takes every cluster one step further.
func (ctl *Control) passClusters(ctx context.Context) error {
	clusters, _, err := ctl.Store.Read().Clusters(ctx, "", store.Page{})
	if err != nil {
		return err
	}
	now := time.Now()
	for _, c := range clusters {
		if now.Before(c.RetryAt) {
			continue
		}
		ctx, here := ctl.hold(ctx, c)
		if !here {
			continue
		}
		nodes, err := ctl.Store.Nodes(ctx, c.ID)
		if err != nil {
			return err
		}
		if s := planCluster(c, nodes); s != nil {
			ctl.steps.try(c.ID, func() { ctl.applyCluster(ctx, s) }, ctl.Wake)
		}
	}
	return nil
}

// applyCluster carries out one step and notes how it went, also when that is that
// it met its limit.
func (ctl *Control) applyCluster(ctx context.Context, s *clusterStep) {
	within, cancel := context.WithTimeout(ctx, ctl.Limits.Step)
	defer cancel()
	err := ctl.interrupted("before " + string(s.Act))
	if err == nil {
		err = ctl.doCluster(within, s)
	}
	if err == nil {
		err = ctl.interrupted("after " + string(s.Act))
	}
	if settled(err) == nil || errors.Is(err, errInterrupted) || errors.Is(err, context.Canceled) {
		return
	}
	ctl.Log.Warn("cluster step failed", "cluster", s.Cluster.ID, "step", s.Act, "err", err)
	reason := fmt.Sprintf("cannot %s: %s", s.Act, plain.Text(err))
	if s.Cluster.Attempts+1 >= attemptsLimit && s.Act == prepareCluster {
		err = ctl.moveCluster(ctx, s.Cluster, hpc.ClusterException, reason)
	} else {
		err = ctl.retryCluster(ctx, s.Cluster, reason)
	}
	if settled(err) != nil {
		ctl.Log.Error("cannot note a failed step", "cluster", s.Cluster.ID, "err", err)
	}
}

func (ctl *Control) doCluster(ctx context.Context, s *clusterStep) error {
	c := s.Cluster
	switch s.Act {
	case prepareCluster:
		if err := ctl.Provider.CreateCluster(ctx, c.ID); err != nil {
			return err
		}
		return ctl.moveCluster(ctx, c, hpc.ClusterCreating, "")
	case moveCluster:
		return ctl.moveCluster(ctx, c, s.To, s.Reason)
	case dropCluster:
		return ctl.dropCluster(ctx, c)
	}
	return fmt.Errorf("unknown step %q", s.Act)
}

// dropCluster removes what a cluster leaves behind, people's files among it, and
// tells how much that was.
func (ctl *Control) dropCluster(ctx context.Context, c *store.Cluster) error {
	files := ctl.filesOf(ctx, c.ID)
	ctl.Log.Warn("a cluster's files are deleted", "cluster", c.ID, "name", c.Name, "files", files)
	if err := ctl.Provider.DeleteCluster(ctx, c.ID); err != nil {
		return err
	}
	now := time.Now()
	return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.DropCluster(ctx, c.ID, now); err != nil {
			return err
		}
		return tx.Log(ctx, c.ID, "DeleteCluster", store.Info, "cluster is gone, with "+files, now)
	})
}

// filesOf is what a cluster's volume holds, in words.
func (ctl *Control) filesOf(ctx context.Context, clusterID string) string {
	const all = "everything in /home and /opt"
	sizer, can := ctl.Provider.(provider.VolumeSizer)
	if !can {
		return all
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	size, err := sizer.VolumeSize(ctx, clusterID)
	if err != nil { // it may be half removed
		return all
	}
	return all + ": " + size.String()
}

func (ctl *Control) moveCluster(ctx context.Context, c *store.Cluster, to hpc.ClusterStatus, reason string) error {
	now, level, line := time.Now(), store.Info, "cluster is "+string(to)
	if reason != "" {
		level, line = store.Error, line+": "+reason
	}
	err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.StepCluster(ctx, c, to, reason, now); err != nil {
			return err
		}
		return tx.Log(ctx, c.ID, "Cluster", level, line, now)
	})
	if err == nil {
		ctl.Log.Info("cluster moved", "cluster", c.ID, "from", c.Status, "to", to)
	}
	return err
}

func (ctl *Control) retryCluster(ctx context.Context, c *store.Cluster, reason string) error {
	now := time.Now()
	return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.RetryCluster(ctx, c, reason, now.Add(ctl.Limits.backoff(c.Attempts))); err != nil {
			return err
		}
		return tx.Log(ctx, c.ID, "Cluster", store.Warn, reason, now)
	})
}
