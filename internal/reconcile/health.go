package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

const healthOperation = "Health" // in the cluster's log

// passHealth takes sick nodes out of service and replaces them.
func (ctl *Control) passHealth(ctx context.Context) error {
	ours, err := ctl.eachCluster(ctx, runs, "health", time.Minute, "cannot look after the health of nodes", ctl.checkHealth)
	if err == nil {
		ctl.looks.forgetAll(ours)
	}
	return err
}

// checkHealth looks at the nodes when it is time to, and at what the rows say of
// them whenever it is called.
func (ctl *Control) checkHealth(ctx context.Context, c *store.Cluster) error {
	tx := ctl.Store.Read()
	nodes, err := ctl.Store.Nodes(ctx, c.ID)
	if err != nil {
		return err
	}
	due := ctl.looks.due(c.ID, ctl.Limits.Health, time.Now())
	if !due && !slices.ContainsFunc(nodes, ailing) {
		return nil
	}
	if due {
		ctl.lookAt(ctx, c.ID, nodes)
	}
	v := &healthView{Nodes: nodes, Looks: ctl.looks.of(c.ID)}
	if v.Queues, err = tx.Queues(ctx, c.ID); err != nil {
		return err
	}
	cv := &clusterView{Cluster: c, Nodes: nodes, Present: map[string]bool{}}
	m := cv.manager()
	if m == nil {
		return nil
	}
	cv.Present[m.ID] = ctl.Links.Present(m.ID)
	v.Sched = ctl.observeSched(ctx, cv)
	var failed []error
	for _, s := range planHealth(time.Now(), v) {
		if s.Act == replaceSick {
			ctl.steps.try(s.Node.ID, func() { ctl.applyReplace(ctx, m, s.Node) }, ctl.Wake)
			continue
		}
		if err := settled(ctl.doHealth(ctx, m, s)); err != nil {
			failed = append(failed, fmt.Errorf("cannot %s node %s: %w", s.Act, s.Node.Hostname, err))
		}
	}
	return errors.Join(failed...)
}

// ailing tells whether something has to be done about a node for what its row says.
func ailing(n *store.Node) bool {
	h := n.Health
	return h.Cause != "" || h.InRow >= failuresLimit || h.Resume || h.Replacing
}

func (ctl *Control) doHealth(ctx context.Context, m *store.Node, s healthStep) error {
	n := s.Node
	sched := ctl.Links.Scheduler(m.ID)
	switch s.Act {
	case noteSick:
		line := fmt.Sprintf("node %s of queue %s is drained: %s", n.Hostname, n.Queue, s.Fault.Reason)
		if !computes(n) {
			line = fmt.Sprintf("node %s needs somebody to look at it: %s", n.Hostname, s.Fault.Reason)
		}
		if err := ctl.markSick(ctx, n, s.Fault, store.Error, line); err != nil || !computes(n) {
			return err
		}
		if err := sched.Drain(ctx, n.Hostname, sickPrefix+s.Fault.Reason); err != nil {
			return err
		}
		ctl.health.Wake() // it may have nothing to do
		return nil
	case noteSound:
		line := fmt.Sprintf("node %s is sound again", n.Hostname)
		if n.Health.Cause == hpc.JobsFail && n.Health.InRow > 0 {
			line = fmt.Sprintf("node %s of queue %s is put back into service: nothing but jobs speaks against it, and its queue replaces no more nodes", n.Hostname, n.Queue)
		}
		if err := ctl.markSick(ctx, n, fault{}, store.Info, line); err != nil || !computes(n) {
			return err
		}
		return sched.Resume(ctx, n.Hostname)
	case drainSick:
		return sched.Drain(ctx, n.Hostname, sickPrefix+n.Health.Reason)
	case resumeSound:
		return sched.Resume(ctx, n.Hostname)
	case resumeAsked:
		ctl.looks.forget(n) // whoever asked knows more
		if err := sched.Resume(ctx, n.Hostname); err != nil {
			return err
		}
		return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error { return tx.NoteResumed(ctx, n) })
	}
	return fmt.Errorf("unknown step %q", s.Act)
}

func (ctl *Control) markSick(ctx context.Context, n *store.Node, f fault, level, line string) error {
	err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.MarkSick(ctx, n, f.Cause, f.Reason); err != nil {
			return err
		}
		return tx.Log(ctx, n.ClusterID, healthOperation, level, line, time.Now())
	})
	if err == nil {
		ctl.Log.Info("node's health changed", "cluster", n.ClusterID, "node", n.ID, "cause", f.Cause, "reason", f.Reason)
	}
	return err
}

func (ctl *Control) applyReplace(ctx context.Context, m, n *store.Node) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ctl.Limits.Step)
	defer cancel()
	err := ctl.interrupted("before replace")
	if err == nil {
		err = ctl.makeAnew(ctx, m, n)
	}
	if err = settled(err); !errors.Is(err, errInterrupted) && ctl.said.news("replace "+n.ID, err) {
		ctl.Log.Warn("cannot replace a node", "cluster", n.ClusterID, "node", n.ID, "err", err)
	}
}

// makeAnew has a sick node made anew. It is counted first: a service that dies
// after that goes on where it was. The scheduler forgets it, so that it joins in
// service; it refuses if the node has got a job after all.
func (ctl *Control) makeAnew(ctx context.Context, m, n *store.Node) error {
	if !n.Health.Replacing {
		if err := ctl.countReplacement(ctx, n); err != nil {
			return err
		}
	}
	if err := ctl.interrupted("counted to replace"); err != nil {
		return err
	}
	sched := ctl.Links.Scheduler(m.ID)
	err := sched.Remove(ctx, n.Hostname)
	if errors.Is(err, scheduler.ErrBusy) {
		return sched.Drain(ctx, n.Hostname, sickPrefix+n.Health.Reason)
	}
	if err != nil {
		return err
	}
	if err := ctl.Provider.Destroy(ctx, n.ID); err != nil {
		return err
	}
	if err := ctl.interrupted("destroyed to replace"); err != nil {
		return err
	}
	ctl.looks.forget(n)
	n.Plan = ""
	return ctl.stepNode(ctx, n, hpc.NodeUninit, store.Info, "it is made anew")
}

// countReplacement counts a node's replacement, and those of its queue, which
// come to a halt with the last that is allowed.
func (ctl *Control) countReplacement(ctx context.Context, n *store.Node) error {
	now := time.Now()
	return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.LockCluster(ctx, n.ClusterID); err != nil {
			return err
		}
		q, err := tx.Queue(ctx, n.ClusterID, n.Queue)
		if err != nil {
			return err
		}
		q.Replaced = append(recent(q.Replaced, now), now)
		count := len(q.Replaced)
		if !q.Halted.IsZero() || count > replacedLimit {
			return store.ErrConflict // others were first
		}
		if count == replacedLimit {
			q.Halted = now
		}
		if err := tx.NoteReplaced(ctx, q); err != nil {
			return err
		}
		if err := tx.MarkReplacing(ctx, n); err != nil {
			return err
		}
		line := fmt.Sprintf("node %s of queue %s is replaced: %s (%d of at most %d within an hour in the queue)", n.Hostname, q.Name, n.Health.Reason, count, replacedLimit)
		if err := tx.Log(ctx, n.ClusterID, healthOperation, store.Warn, line, now); err != nil || count < replacedLimit {
			return err
		}
		line = fmt.Sprintf("queue %s replaces no more nodes, %d were replaced within an hour: those whose disk, share or clock is at fault stay drained until somebody looks and puts one back (ehpc node resume)", q.Name, count)
		return tx.Log(ctx, n.ClusterID, healthOperation, store.Error, line, now)
	})
}
