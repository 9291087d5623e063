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
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// passScale makes clusters grow and shrink with their queues.
func (ctl *Control) passScale(ctx context.Context) error {
	clusters, _, err := ctl.Store.Read().Clusters(ctx, "", store.Page{})
	if err != nil {
		return err
	}
	for _, c := range clusters {
		if !c.Wanted || c.Status != hpc.ClusterRunning {
			continue
		}
		ctx, here := ctl.held(ctx, c.ID)
		if !here {
			continue
		}
		ctl.steps.try("scale "+c.ID, func() {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			err := settled(ctl.scaleCluster(ctx, c.ID))
			if ctx.Err() == nil && ctl.said.news("scale "+c.ID, err) {
				ctl.Log.Warn("cannot scale a cluster", "cluster", c.ID, "err", err)
			}
		}, func() {})
	}
	return nil
}

// scaleCluster decides twice: on what was read without holding up anybody, and,
// if there is something to do, on the rows that it then changes.
func (ctl *Control) scaleCluster(ctx context.Context, clusterID string) error {
	now := time.Now()
	v, seen, err := ctl.observeScale(ctx, clusterID, now)
	if err != nil || v == nil || len(planScale(now, v)) == 0 && !v.checkDue(now) {
		return err
	}
	var steps []scaleStep
	err = ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		c, err := tx.LockCluster(ctx, clusterID)
		if err != nil {
			return err
		}
		if err := v.read(ctx, tx, c, seen, cmp.Or(c.Asked.EcsOrder.Compute.InstanceType, ctl.ComputeType)); err != nil {
			return err
		}
		if !c.Wanted || c.Status != hpc.ClusterRunning || !v.active() {
			return nil
		}
		steps = planScale(now, v)
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
func (ctl *Control) observeScale(ctx context.Context, clusterID string, now time.Time) (*scaleView, scheduler.Observation, error) {
	tx := ctl.Store.Read()
	v := &scaleView{Types: ctl.Types, Limit: ctl.MaxNodes, Minute: ctl.Limits.Minute}
	var seen scheduler.Observation
	c, err := tx.Cluster(ctx, clusterID)
	if err != nil {
		return nil, seen, err
	}
	kind := cmp.Or(c.Asked.EcsOrder.Compute.InstanceType, ctl.ComputeType)
	if err := v.read(ctx, tx, c, seen, kind); err != nil || !v.active() {
		return nil, seen, err
	}
	cv := &clusterView{Cluster: c, Nodes: v.Nodes, Present: map[string]bool{}}
	if m := cv.manager(); m != nil {
		cv.Present[m.ID] = ctl.Links.Present(m.ID)
	}
	if v.Sched = ctl.observeSched(ctx, cv); v.Sched == nil {
		return v, seen, nil
	}
	seen, known := ctl.observeQueue(ctx, cv.manager(), c)
	if !known {
		v.Sched = nil
		return v, seen, nil
	}
	v.Waiting = waitingJobs(v.Jobs, seen)
	v.Quiet = ctl.observeQuiet(ctx, v, now)
	return v, seen, nil
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

// read fills in the rows.
func (v *scaleView) read(ctx context.Context, tx store.Tx, c *store.Cluster, seen scheduler.Observation, kind string) (err error) {
	v.Type = kind
	var own []*store.ScaleQueue
	if v.Config, own, err = tx.Scale(ctx, c.ID); err != nil {
		return err
	}
	v.Own = map[string]hpc.QueueScale{}
	for _, q := range own {
		v.Own[q.Queue] = q.Settings
	}
	if v.Queues, err = tx.Queues(ctx, c.ID); err != nil {
		return err
	}
	if v.Nodes, err = tx.Nodes(ctx, c.ID); err != nil || !v.active() {
		return err
	}
	if v.Jobs, err = tx.OpenJobs(ctx, c.ID); err != nil {
		return err
	}
	v.Waiting = waitingJobs(v.Jobs, seen)
	return nil
}

// observeQuiet asks the nodes that may go whether somebody is logged in.
func (ctl *Control) observeQuiet(ctx context.Context, v *scaleView, now time.Time) map[string]bool {
	due := v.checkDue(now)
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
	if v.checkDue(now) {
		row.Checked = now
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
		return tx.Log(ctx, c.ID, scaleOperation, store.Warn, fmt.Sprintf("no node is added to queue %s: %s", s.Queue, s.Reason), now)
	case countIdle:
		return tx.NoteIdle(ctx, s.Node.ID, s.Count)
	case hinderJob:
		if err := tx.NoteHindrance(ctx, s.Job, s.Reason, now); err != nil || s.Reason == "" {
			return err
		}
		return tx.Log(ctx, c.ID, scaleOperation, store.Warn, fmt.Sprintf("job %s: %s", cmp.Or(s.Job.PublicID, s.Job.SchedID), s.Reason), now)
	case releaseIdle:
		err = tx.UnwantNode(ctx, s.Node.ID, false, now)
	case giveUpNode:
		err = tx.UnwantNode(ctx, s.Node.ID, true, now)
	case keepNode:
		err = tx.NoteIdle(ctx, s.Node.ID, 0)
	}
	if err != nil {
		return err
	}
	return tx.Log(ctx, c.ID, scaleOperation, store.Info, s.line(), now)
}

const scaleOperation = "AutoScale" // in the cluster's log

// line is a decision on a node as the cluster's log has it.
func (s scaleStep) line() string {
	done := map[scaleAct]string{resetNode: "reset", giveUpNode: "given up", drainIdle: "drained", keepNode: "kept", releaseIdle: "released"}
	return fmt.Sprintf("node %s of queue %s is %s: %s", s.Node.Hostname, s.Queue, done[s.Act], s.Reason)
}

// addNodes adds as many as the machines have room for.
func (ctl *Control) addNodes(ctx context.Context, tx store.Tx, c *store.Cluster, v *scaleView, row *store.ScaleConfig, s *scaleStep, now time.Time) error {
	count, why, err := ctl.fitting(ctx, tx, s)
	if err != nil {
		return err
	}
	if count == 0 {
		if row.Said[s.Queue] == why {
			return nil
		}
		row.Said[s.Queue] = why
		return tx.Log(ctx, c.ID, scaleOperation, store.Warn, fmt.Sprintf("no node is added to queue %s: %s", s.Queue, why), now)
	}
	nodes := store.NewComputes(c, v.Nodes, count, s.Type, s.Queue, store.Autoscale, now)
	if err := tx.InsertNodes(ctx, nodes); err != nil {
		return err
	}
	v.Nodes = append(v.Nodes, nodes...)
	row.Rounds[s.Queue] = now
	delete(row.Said, s.Queue)
	line := fmt.Sprintf("%d nodes of type %s are added to queue %s, %s to %s: %s", count, s.Type.Name, s.Queue, nodes[0].Hostname, nodes[count-1].Hostname, s.Reason)
	if why != "" {
		line += fmt.Sprintf("; not all %d: %s", s.Count, why)
	}
	return tx.Log(ctx, c.ID, scaleOperation, store.Info, line, now)
}

// fitting is how many of the nodes to add have room beside what is wanted and
// not made yet, and why not all.
func (ctl *Control) fitting(ctx context.Context, tx store.Tx, s *scaleStep) (count int, why string, err error) {
	all, err := tx.Nodes(ctx, "")
	if err != nil {
		return 0, "", err
	}
	var types []hpc.InstanceType
	for _, n := range all {
		if n.Wanted && n.Address == "" {
			types = append(types, n.InstanceType)
		}
	}
	low, high := 0, s.Count // low fit; the first try is all
	for n := high; low < high; n = (low + high + 1) / 2 {
		more := types[:len(types):len(types)]
		for range n {
			more = append(more, s.Type)
		}
		switch err := ctl.Provider.Fits(ctx, more); {
		case err == nil:
			low = n
		case errors.Is(err, provider.ErrNoCapacity):
			high, why = n-1, err.Error()
		default:
			return 0, "", err
		}
	}
	return low, why, nil
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
