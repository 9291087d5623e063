package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// passScale makes clusters grow and shrink with their queues. Each asks the
// scheduler twice, which may take its time.
func (ctl *Control) passScale(ctx context.Context) error {
	_, err := ctl.eachCluster(ctx, runs, "scale", 2*slowLimit, "cannot scale a cluster", func(ctx context.Context, c *store.Cluster) error {
		return ctl.scaleCluster(ctx, c.ID)
	})
	return err
}

// scaleCluster decides twice: on what was read without holding up anybody, and,
// if there is something to do, on the rows that it then changes.
func (ctl *Control) scaleCluster(ctx context.Context, clusterID string) error {
	now := time.Now()
	v, seen, err := ctl.observeScale(ctx, clusterID, now, false)
	if err != nil || v == nil || len(planScale(now, v)) == 0 && !v.checkDue(now) {
		return err
	}
	var steps []scaleStep
	err = ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		c, err := tx.LockCluster(ctx, clusterID)
		if err != nil {
			return err
		}
		if v.Nodes, err = tx.Nodes(ctx, c.ID); err != nil {
			return err
		}
		if err := v.read(ctx, tx, c, seen, cmp.Or(c.Asked.EcsOrder.Compute.InstanceType, ctl.ComputeType)); err != nil {
			return err
		}
		if !c.Wanted || c.Status != hpc.ClusterRunning || !v.active() {
			return nil
		}
		if steps, err = ctl.settle(ctx, tx, v, now); err != nil {
			return err
		}
		return ctl.applyScale(ctx, tx, c, v, steps, now)
	})
	if err != nil {
		return err
	}
	if len(steps) > 0 {
		ctl.nodes.Wake()
	}
	return ctl.actScale(ctx, v, steps)
}

func (v *scaleView) checkDue(now time.Time) bool {
	return !now.Before(v.Config.Checked.Add(v.minutes(v.Config.Settings.ShrinkInterval)))
}

// observeScale looks at a cluster that grows or shrinks; nil for any other. The
// nodes are looked at before the jobs: a job that waits after them did not run
// on them.
func (ctl *Control) observeScale(ctx context.Context, clusterID string, now time.Time, explain bool) (*scaleView, scheduler.Observation, error) {
	tx := ctl.Store.Read()
	v := &scaleView{File: ctl.Budgets, Currency: ctl.Currency, At: now, Tariff: ctl.Tariff, Limit: ctl.MaxNodes, Minute: ctl.Limits.Minute, Explain: explain}
	var seen scheduler.Observation
	c, err := tx.Cluster(ctx, clusterID)
	if err != nil {
		return nil, seen, err
	}
	kind := cmp.Or(c.Asked.EcsOrder.Compute.InstanceType, ctl.ComputeType)
	if v.Nodes, err = ctl.Store.Nodes(ctx, c.ID); err != nil {
		return nil, seen, err
	}
	if err := v.read(ctx, tx, c, seen, kind); err != nil || !v.active() {
		return nil, seen, err
	}
	cv := &clusterView{Cluster: c, Nodes: v.Nodes, Present: map[string]bool{}}
	if m := cv.manager(); m != nil {
		cv.Present[m.ID] = ctl.Links.Present(m.ID)
	}
	sched, known := ctl.lookAtSched(ctx, cv)
	if !known {
		return v, seen, nil
	}
	v.Sched = sched
	seen, known = ctl.observeQueue(ctx, cv.manager(), c)
	if !known {
		v.Sched = nil
		return v, seen, nil
	}
	v.Waiting = waitingJobs(v.Jobs, v.affordable(seen), leaving(v.Nodes))
	v.Quiet = ctl.observeQuiet(ctx, v, now)
	return v, seen, nil
}

// lookAtSched asks the scheduler for its nodes. The loop that looks after them
// tells of what goes wrong.
func (ctl *Control) lookAtSched(ctx context.Context, v *clusterView) (sched map[string]scheduler.Node, known bool) {
	sched, err := ctl.listSched(ctx, v)
	return sched, err == nil && sched != nil
}

// observeQueue asks the scheduler for its jobs. The loop that follows them tells
// of what goes wrong.
func (ctl *Control) observeQueue(ctx context.Context, manager *store.Node, c *store.Cluster) (seen scheduler.Observation, known bool) {
	seen, err := ctl.queues.observe(ctx, ctl.Links.Scheduler(manager.ID), c)
	if err != nil {
		return scheduler.Observation{}, false
	}
	return seen, true
}

// read fills in the rows, beside the nodes.
func (v *scaleView) read(ctx context.Context, tx store.Tx, c *store.Cluster, seen scheduler.Observation, kind string) (err error) {
	v.Type = kind
	if err := v.readSettings(ctx, tx, c.ID); err != nil {
		return err
	}
	if v.Queues, err = tx.Queues(ctx, c.ID); err != nil || !v.active() {
		return err
	}
	if v.Jobs, err = tx.OpenJobs(ctx, c.ID); err != nil {
		return err
	}
	if v.Budgets, err = tx.Budgets(ctx, c.ID, v.File); err != nil {
		return err
	}
	v.Waiting = waitingJobs(v.Jobs, v.affordable(seen), leaving(v.Nodes))
	return nil
}

// readSettings fills in how the cluster grows and shrinks.
func (v *scaleView) readSettings(ctx context.Context, tx store.Tx, clusterID string) (err error) {
	var own []*store.ScaleQueue
	if v.Config, own, err = tx.Scale(ctx, clusterID); err != nil {
		return err
	}
	v.Own = map[string]hpc.QueueScale{}
	for _, q := range own {
		v.Own[q.Queue] = q.Settings
	}
	return nil
}

// observeQuiet asks the nodes that may go whether somebody is logged in.
func (ctl *Control) observeQuiet(ctx context.Context, v *scaleView, now time.Time) map[string]bool {
	due := v.checkDue(now) || v.Explain
	quiet := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	places := make(chan struct{}, 16)
	for _, n := range v.Nodes {
		s := v.Sched[n.Hostname]
		goes := s.State == scheduler.NodeDrained && s.Reason == idleReason
		if !computes(n) || !v.of(n.Queue).Shrink || !goes && !(due && s.State == scheduler.NodeIdle) {
			continue
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			state, err := ctl.Links.Node(n.ID).State(ctx)
			mu.Lock()
			defer mu.Unlock()
			quiet[n.ID] = err == nil && state.Sessions == 0
		})
	}
	wg.Wait()
	return quiet
}

// applyScale writes what was decided, a line in the cluster's log for each.
func (ctl *Control) applyScale(ctx context.Context, tx store.Tx, c *store.Cluster, v *scaleView, steps []scaleStep, now time.Time) error {
	row := *v.Config
	row.Rounds, row.Said = maps.Clone(row.Rounds), maps.Clone(row.Said)
	row.Resting = rested(row.Resting, now)
	if v.checkDue(now) {
		row.Checked = now
	}
	for name, why := range v.Scarce {
		row.Resting[name] = v.restUntil(now)
		if err := tx.Log(ctx, c.ID, scaleOperation, store.Warn, restLine(name, row.Resting[name], why), now); err != nil {
			return err
		}
	}
	for i := range steps {
		if err := ctl.writeScale(ctx, tx, c, v, &row, &steps[i], now); err != nil {
			return err
		}
	}
	return tx.NoteScale(ctx, &row)
}

func (ctl *Control) writeScale(ctx context.Context, tx store.Tx, c *store.Cluster, v *scaleView, row *store.ScaleConfig, s *scaleStep, now time.Time) error {
	var err error
	switch s.Act {
	case addNodes:
		return ctl.addNodes(ctx, tx, c, v, row, s, now)
	case addNone:
		if s.Reason == "" {
			delete(row.Said, s.Queue)
			return nil
		}
		row.Said[s.Queue] = s.Limit
		return tx.Log(ctx, c.ID, scaleOperation, store.Warn, s.line(), now)
	case countIdle:
		return tx.NoteIdle(ctx, s.Node, s.Count)
	case hinderJob:
		if err := tx.NoteHindrance(ctx, s.Job, s.Reason, now); err != nil || s.Reason == "" || s.Passing {
			return err
		}
		return tx.Log(ctx, c.ID, scaleOperation, store.Warn, s.line(), now)
	case releaseIdle:
		err = tx.UnwantNode(ctx, s.Node, false, now)
	case giveUpNode:
		err = tx.UnwantNode(ctx, s.Node, true, now)
	case keepNode:
		err = tx.NoteIdle(ctx, s.Node, 0)
	}
	if err != nil {
		return err
	}
	return tx.Log(ctx, c.ID, scaleOperation, store.Info, s.line(), now)
}

const scaleOperation = "AutoScale" // in the cluster's log

// addNodes writes the rows of new nodes.
func (ctl *Control) addNodes(ctx context.Context, tx store.Tx, c *store.Cluster, v *scaleView, row *store.ScaleConfig, s *scaleStep, now time.Time) error {
	nodes := store.NewComputes(c, v.Nodes, s.Count, s.Offer.InstanceType, s.Queue, store.Autoscale, now)
	for _, n := range nodes {
		n.SpotStrategy, n.SpotPriceLimit = s.Offer.Strategy, s.Offer.Limit
	}
	if err := tx.InsertNodes(ctx, nodes); err != nil {
		return err
	}
	v.Nodes = append(v.Nodes, nodes...)
	row.Rounds[s.Queue] = now
	delete(row.Said, s.Queue)
	s.Hosts = fmt.Sprintf(", %s to %s", nodes[0].Hostname, nodes[len(nodes)-1].Hostname)
	return tx.Log(ctx, c.ID, scaleOperation, store.Info, s.line(), now)
}

// actScale does what is not in the rows. What fails, or is cut off, is found
// undone by a later pass.
func (ctl *Control) actScale(ctx context.Context, v *scaleView, steps []scaleStep) error {
	m := (&clusterView{Nodes: v.Nodes}).manager()
	var failed []error
	for _, s := range steps {
		var err error
		switch s.Act {
		case drainIdle:
			err = ctl.Links.Scheduler(m.ID).Drain(ctx, s.Node.Hostname, idleReason)
		case keepNode:
			err = ctl.Links.Scheduler(m.ID).Resume(ctx, s.Node.Hostname)
		case resetNode:
			err = ctl.remake(ctx, s)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("cannot %s node %s: %w", s.Act, s.Node.Hostname, err))
		}
	}
	return errors.Join(failed...)
}

// remake has a node made anew: its machine goes first, for one that lives is kept.
func (ctl *Control) remake(ctx context.Context, s scaleStep) error {
	if err := ctl.Provider.Destroy(ctx, s.Node.ID); err != nil {
		return err
	}
	now := time.Now()
	err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.ResetNode(ctx, s.Node, s.Reason, now)
	})
	ctl.nodes.Wake()
	return err
}
