package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

const reclaimOperation = "Reclaim" // in the cluster's log

// doReclaim carries out one step of giving a machine back.
func (ctl *Control) doReclaim(ctx context.Context, v *clusterView, s nodeStep) error {
	switch s.Act {
	case askReclaim:
		return ctl.askReclaim(ctx, s)
	case tellProvider:
		err := ctl.Provider.(provider.Reclaimer).Reclaim(ctx, s.Node.ID, s.At)
		ctl.nodes.Wake()
		return err
	case noteReclaim:
		return ctl.noteReclaim(ctx, s)
	case drainReclaimed:
		return ctl.Links.Scheduler(v.manager().ID).Drain(ctx, s.Node.Hostname, s.Reason)
	case requeueJobs:
		return ctl.requeueJobs(ctx, v, s)
	case giveBack:
		return ctl.giveBack(ctx, v, s)
	}
	return fmt.Errorf("unknown step %q", s.Act)
}

// askReclaim writes down that the provider is to be told, for an answer of its
// may be lost.
func (ctl *Control) askReclaim(ctx context.Context, s nodeStep) error {
	n := s.Node
	return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.StepReclaim(ctx, n, hpc.ReclaimAsked, s.At, s.Reason)
	})
}

// noteReclaim writes down the notice together with what takes the node's place.
func (ctl *Control) noteReclaim(ctx context.Context, s nodeStep) error {
	n, now := s.Node, time.Now()
	err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		c, err := tx.LockCluster(ctx, n.ClusterID)
		if err != nil {
			return err
		}
		if err := tx.StepReclaim(ctx, n, hpc.ReclaimNoticed, s.At, s.Reason); err != nil {
			return err
		}
		next, err := ctl.replace(ctx, tx, c, n, now)
		if err != nil {
			return err
		}
		left := "without notice"
		if until := s.At.Sub(now).Round(time.Second); until > 0 {
			left = fmt.Sprintf("at %s, in %s", s.At.UTC().Format(time.TimeOnly), until)
		}
		return tx.Log(ctx, c.ID, reclaimOperation, store.Warn, fmt.Sprintf("node %s (%s) is taken back %s: %s; %s", n.Hostname, n.ID, left, s.Reason, next), now)
	})
	if err == nil {
		ctl.Log.Warn("node is taken back", "cluster", n.ClusterID, "node", n.ID, "at", s.At)
		ctl.scale.Wake()
	}
	return err
}

// replace sees to what a node's jobs will run on, and says it. In a queue that
// grows, its next round does not wait; in any other a node like it is added,
// which does not count against limits, as the one before is sure to go.
func (ctl *Control) replace(ctx context.Context, tx store.Tx, c *store.Cluster, n *store.Node, now time.Time) (said string, err error) {
	have, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(have, func(row *store.Node) bool { return row.ID == n.ID })
	if i < 0 || !have[i].Wanted {
		return "it was to be deleted, and is not replaced", nil
	}
	v := &scaleView{}
	if err := v.readSettings(ctx, tx, c.ID); err != nil {
		return "", err
	}
	if !v.of(n.Queue).Grow {
		next := store.Successor(c, have, have[i], now)
		return fmt.Sprintf("node %s (%s) takes its place", next.Hostname, next.ID), tx.InsertNodes(ctx, []*store.Node{next})
	}
	delete(v.Config.Rounds, n.Queue)
	return "its queue grows as its jobs need", tx.NoteScale(ctx, v.Config)
}

// requeueJobs puts a node's jobs back into the queue that may run again.
func (ctl *Control) requeueJobs(ctx context.Context, v *clusterView, s nodeStep) error {
	n := s.Node
	ids, err := ctl.Links.Scheduler(v.manager().ID).Requeue(ctx, n.Hostname, s.Reason)
	if err != nil {
		return err
	}
	err = ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.StepReclaim(ctx, n, hpc.ReclaimRequeued, n.Reclaim, n.ReclaimReason); err != nil || len(ids) == 0 {
			return err
		}
		return tx.Log(ctx, n.ClusterID, reclaimOperation, store.Info, fmt.Sprintf("node %s is taken back: requeued jobs %s", n.Hostname, strings.Join(ids, ", ")), time.Now())
	})
	ctl.jobs.Wake()
	return err
}

// giveBack has a node go. The scheduler hears at once of a machine that ended
// with jobs.
func (ctl *Control) giveBack(ctx context.Context, v *clusterView, s nodeStep) error {
	n, line := s.Node, fmt.Sprintf("node %s is given back: %s", s.Node.Hostname, s.Reason)
	if _, known := v.Sched[n.Hostname]; known && v.dead(n) {
		sched := ctl.Links.Scheduler(v.manager().ID)
		lost, err := ctl.jobsOn(ctx, sched, v.Cluster, n)
		if err != nil {
			return err
		}
		if err := sched.Down(ctx, n.Hostname, reclaimReason); err != nil {
			return err
		}
		if lost != "" {
			line += "; " + lost
		}
	}
	err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		now := time.Now()
		if err := tx.StepReclaim(ctx, n, hpc.GivenBack, n.Reclaim, n.ReclaimReason); err != nil {
			return err
		}
		if err := tx.UnwantNode(ctx, n, false, now); err != nil {
			return err
		}
		return tx.Log(ctx, n.ClusterID, reclaimOperation, store.Info, line, now)
	})
	ctl.jobs.Wake()
	ctl.scale.Wake()
	return err
}

// jobsOn tells what becomes of the jobs that a node's machine has taken along.
func (ctl *Control) jobsOn(ctx context.Context, sched scheduler.Scheduler, c *store.Cluster, n *store.Node) (said string, err error) {
	seen, err := ctl.queues.observe(ctx, sched, c)
	if err != nil {
		return "", err
	}
	rows, err := ctl.Store.Read().OpenJobs(ctx, c.ID)
	if err != nil {
		return "", err
	}
	var cut hpc.CutOff
	for _, j := range seen.Queue {
		if j.State == hpc.JobCompleting || !slices.Contains(j.Nodes, n.Hostname) {
			continue
		}
		i := slices.IndexFunc(rows, func(row *store.Job) bool { return row.SchedID == j.Whole() && row.Token != "" })
		switch {
		case i < 0: // the scheduler does not tell how it was submitted
			cut.Others = append(cut.Others, j.ID)
		case rows[i].Spec.Rerunable:
			cut.Again = append(cut.Again, j.ID)
		default:
			cut.Fail = append(cut.Fail, j.ID)
		}
	}
	return cut.String(), nil
}

// awaitPrice tells once why a node is not made.
func (ctl *Control) awaitPrice(ctx context.Context, n *store.Node, why string) error {
	return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.NoteWaiting(ctx, n, why); err != nil {
			return err
		}
		return tx.Log(ctx, n.ClusterID, reclaimOperation, store.Warn, fmt.Sprintf("node %s waits: %s", n.Hostname, why), time.Now())
	})
}
