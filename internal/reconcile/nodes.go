package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/plain"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// attemptsLimit is after how many failures in a row a node goes to exception.
const attemptsLimit = 5

// silences remembers since when agents are away.
type silences struct {
	mu    sync.Mutex
	since map[string]time.Time
}

func (s *silences) note(id string, present bool, now time.Time) (since time.Time, away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since == nil {
		s.since = map[string]time.Time{}
	}
	if present {
		delete(s.since, id)
		return time.Time{}, false
	}
	if _, known := s.since[id]; !known {
		s.since[id] = now
	}
	return s.since[id], true
}

// passNodes takes every node one step further, each cluster by itself: one
// whose scheduler does not answer must not hold up the others.
func (ctl *Control) passNodes(ctx context.Context) error {
	machines := ctl.machines(ctx)
	clusters, _, err := ctl.Store.Read().Clusters(ctx, "", store.Page{})
	if err != nil {
		return err
	}
	for _, c := range clusters {
		ctx, here := ctl.hold(ctx, c)
		if !here {
			continue
		}
		ctl.steps.follow(ctx, "nodes "+c.ID, ctl.Limits.Every, func() {
			if err := ctl.passClusterNodes(ctx, c, machines); err != nil && ctx.Err() == nil {
				ctl.Log.Error("node pass failed", "cluster", c.ID, "err", err)
			}
		})
	}
	return nil
}

func (ctl *Control) machines(ctx context.Context) map[string]provider.Machine {
	list, err := ctl.Provider.List(ctx)
	if err != nil {
		ctl.Log.Error("cannot list machines", "err", err)
		return nil
	}
	machines := make(map[string]provider.Machine, len(list))
	for _, m := range list {
		machines[m.ID] = m
	}
	return machines
}

func (ctl *Control) passClusterNodes(ctx context.Context, c *store.Cluster, machines map[string]provider.Machine) error {
	nodes, err := ctl.Store.Nodes(ctx, c.ID)
	if err != nil || len(nodes) == 0 {
		return err
	}
	plans, turn := map[string]hpc.NodePlan{}, ctl.turns.next() // before the rows are read
	if c.Wanted {
		if plans, err = nodePlans(ctx, ctl.Store.Read(), ctl.SSH, c, nodes, ctl.Budgets); err != nil {
			return err
		}
	}
	_, reclaims := ctl.Provider.(provider.Reclaimer)
	v := &clusterView{Cluster: c, Nodes: nodes, Machines: machines, Tariff: ctl.Tariff, Reclaims: reclaims,
		Present: map[string]bool{}, Silent: map[string]time.Time{}, Plans: planHashes(plans)}
	now := time.Now()
	for _, n := range nodes {
		if err := ctl.Links.Listen(n.ID); err != nil {
			return err
		}
		v.Present[n.ID] = ctl.Links.Present(n.ID)
		if since, away := ctl.silent.note(n.ID, v.Present[n.ID], now); away {
			v.Silent[n.ID] = since
		}
	}
	if v.Scripts, err = ctl.observeScripts(ctx, c, nodes); err != nil {
		return err
	}
	v.Sched = ctl.observeSched(ctx, v)
	for _, s := range planNodes(now, v, ctl.Limits) {
		ctl.steps.try(s.Node.ID, func() { ctl.applyNode(ctx, v, s, inTurn(plans[s.Node.ID], turn)) }, ctl.Wake)
	}
	return nil
}

func inTurn(plan hpc.NodePlan, turn hpc.Turn) hpc.NodePlan {
	plan.Turn = turn
	return plan
}

// observeSched asks the cluster's scheduler for its nodes, and notes their load;
// nil when it cannot tell.
func (ctl *Control) observeSched(ctx context.Context, v *clusterView) map[string]scheduler.Node {
	sched, err := ctl.listSched(ctx, v)
	if sched == nil && err == nil {
		return nil // it is not there to ask
	}
	if ctl.said.news("nodes "+v.Cluster.ID, err) {
		ctl.Log.Warn("cannot list the scheduler's nodes", "cluster", v.Cluster.ID, "err", err)
	}
	ctl.noteScheduler(ctx, v.Cluster.ID, err == nil)
	if err != nil {
		return nil
	}
	ctl.noteSched(ctx, v.Cluster.ID, v.Nodes, sched)
	return sched
}

// listSched asks the cluster's scheduler for its nodes, by their hostnames; nil
// where there is none to ask.
func (ctl *Control) listSched(ctx context.Context, v *clusterView) (map[string]scheduler.Node, error) {
	m := v.manager()
	if m == nil || !v.Cluster.Wanted || !v.Present[m.ID] || (m.Status != hpc.NodeReady && m.Status != hpc.NodeRunning) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, slowLimit/2)
	defer cancel()
	list, err := ctl.Links.Scheduler(m.ID).Nodes(ctx)
	if err != nil {
		return nil, err
	}
	sched := make(map[string]scheduler.Node, len(list))
	for _, s := range list {
		sched[s.Name] = s
	}
	return sched, nil
}

// noteSched writes down what has changed of the nodes' load.
func (ctl *Control) noteSched(ctx context.Context, clusterID string, nodes []*store.Node, sched map[string]scheduler.Node) {
	var changed []*store.Node
	for _, n := range nodes {
		s := sched[n.Hostname]
		if n.HasRole(hpc.RoleCompute) && (s.Raw != n.SchedState || s.CoresUsed != n.CoresUsed || s.MemUsedMB != n.MemoryUsed) {
			changed = append(changed, n)
		}
	}
	if len(changed) == 0 {
		return
	}
	err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		for _, n := range changed {
			s := sched[n.Hostname]
			if err := settled(tx.NoteSched(ctx, n, s.Raw, s.CoresUsed, s.MemUsedMB)); err != nil { // it may be gone
				return err
			}
		}
		return nil
	})
	if settled(err) != nil {
		ctl.Log.Error("cannot note the load of nodes", "cluster", clusterID, "err", err)
	}
	if slices.ContainsFunc(changed, func(n *store.Node) bool { return n.Health.Cause != "" }) {
		ctl.health.Wake() // its last job may have ended
	}
}

// applyNode carries out one step and notes how it went, also when that is that it
// met its limit.
func (ctl *Control) applyNode(ctx context.Context, v *clusterView, s nodeStep, plan hpc.NodePlan) {
	within, cancel := context.WithTimeout(ctx, ctl.Limits.Step)
	defer cancel()
	n := s.Node
	err := ctl.interrupted("before " + string(s.Act))
	if err == nil {
		err = ctl.doNode(within, v, s, plan)
	}
	if err == nil {
		err = ctl.interrupted("after " + string(s.Act))
	}
	if settled(err) == nil || errors.Is(err, errInterrupted) || errors.Is(err, context.Canceled) {
		return
	}
	if errors.Is(err, provider.ErrNoCapacity) && n.CreateMode == store.Autoscale {
		if given, err := ctl.giveUp(ctx, n, err); given && settled(err) == nil {
			return
		}
	}
	ctl.Log.Warn("node step failed", "cluster", n.ClusterID, "node", n.ID, "step", s.Act, "err", err)
	reason := fmt.Sprintf("cannot %s: %s", s.Act, plain.Text(err))
	if n.Attempts+1 >= attemptsLimit && n.Wanted && n.Status != hpc.NodeException && n.ReclaimPhase == hpc.NotReclaimed {
		err = ctl.stepNode(ctx, n, hpc.NodeException, store.Error, reason)
	} else {
		err = ctl.retryNode(ctx, n, reason)
	}
	if settled(err) != nil {
		ctl.Log.Error("cannot note a failed step", "node", n.ID, "err", err)
	}
}

func (ctl *Control) doNode(ctx context.Context, v *clusterView, s nodeStep, plan hpc.NodePlan) error {
	n := s.Node
	switch s.Act {
	case makeMachine:
		return ctl.makeMachine(ctx, n)
	case prepareNode:
		return ctl.prepareNode(ctx, n, plan)
	case applyPlan:
		if err := ctl.applyTo(ctx, n, plan); err != nil {
			return err
		}
		n.Plan = v.Plans[n.ID]
		return ctl.stepNode(ctx, n, hpc.NodeReady, store.Info, "")
	case refreshPlan:
		if err := ctl.applyTo(ctx, n, plan); err != nil {
			return err
		}
		return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
			return tx.NotePlan(ctx, n, v.Plans[n.ID])
		})
	case rejoinNode:
		if err := ctl.Links.Node(n.ID).Rejoin(ctx); err != nil {
			return err
		}
		return ctl.retryNode(ctx, n, "the scheduler has forgotten it, it joins again") // and is looked at later
	case resumeNode:
		return ctl.Links.Scheduler(v.manager().ID).Resume(ctx, n.Hostname)
	case moveNode:
		return ctl.Links.Scheduler(v.manager().ID).Move(ctx, n.Hostname, n.Queue)
	case enterDuty:
		return ctl.stepNode(ctx, n, hpc.NodeRunning, store.Info, "")
	case loseMachine:
		return ctl.loseMachine(ctx, v, n, s.Reason)
	case failNode:
		return ctl.stepNode(ctx, n, hpc.NodeException, store.Error, s.Reason)
	case retryNode:
		to := hpc.NodeInit
		if !v.Present[n.ID] {
			to = hpc.NodeUninit
		}
		return ctl.stepNode(ctx, n, to, store.Info, "")
	case drainNode:
		return ctl.Links.Scheduler(v.manager().ID).Drain(ctx, n.Hostname, "ehpc: the node is to be deleted")
	case forceNode:
		return ctl.forceNode(ctx, n)
	case releaseNode:
		return ctl.releaseNode(ctx, v, n)
	case awaitPrice:
		return ctl.awaitPrice(ctx, n, s.Reason)
	case askReclaim, tellProvider, noteReclaim, drainReclaimed, requeueJobs, giveBack:
		return ctl.doReclaim(ctx, v, s)
	}
	return fmt.Errorf("unknown step %q", s.Act)
}

func (ctl *Control) makeMachine(ctx context.Context, n *store.Node) error {
	m, err := ctl.Provider.Create(ctx, provider.Spec{ID: n.ID, ClusterID: n.ClusterID, Hostname: n.Hostname,
		Type: n.InstanceType, Image: n.ImageID, Manager: n.HasRole(hpc.RoleManager)})
	if err != nil {
		return err
	}
	n.Address, n.BootID, n.Plan = m.Address, m.BootID, ""
	return ctl.stepNode(ctx, n, hpc.NodeInit, store.Info, "")
}

// loseMachine takes note that a node's machine is gone. The scheduler hears of
// it at once, so that it requeues the node's jobs without waiting for its own
// time limit.
func (ctl *Control) loseMachine(ctx context.Context, v *clusterView, n *store.Node, reason string) error {
	if n.HasRole(hpc.RoleCompute) && v.Sched != nil {
		if err := ctl.Links.Scheduler(v.manager().ID).Down(ctx, n.Hostname, "ehpc: "+reason); err != nil {
			ctl.Log.Warn("cannot tell the scheduler of a lost node", "node", n.ID, "err", err)
		}
	}
	n.Plan = ""
	return ctl.stepNode(ctx, n, hpc.NodeUninit, store.Warn, reason+", it is made anew")
}

// stepNode moves a node's status and logs it, in one transaction.
func (ctl *Control) stepNode(ctx context.Context, n *store.Node, to hpc.NodeStatus, level, reason string) error {
	now := time.Now()
	var retry time.Time
	if to == hpc.NodeException {
		retry = now.Add(ctl.Limits.Rest)
	}
	err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.StepNode(ctx, n, to, reason, now, retry); err != nil {
			return err
		}
		if to == hpc.NodeInit {
			if err := tx.BeginSpan(ctx, n.ID, ctl.priceOf(n, now), now); err != nil {
				return err
			}
		}
		return tx.Log(ctx, n.ClusterID, "Node", level, nodeLine(n, to, reason), now)
	})
	if err == nil {
		ctl.Log.Info("node moved", "cluster", n.ClusterID, "node", n.ID, "from", n.Status, "to", to)
	}
	return err
}

func (ctl *Control) retryNode(ctx context.Context, n *store.Node, reason string) error {
	now := time.Now()
	return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.RetryNode(ctx, n, reason, now.Add(ctl.Limits.backoff(n.Attempts))); err != nil {
			return err
		}
		return tx.Log(ctx, n.ClusterID, "Node", store.Warn, nodeLine(n, n.Status, reason), now)
	})
}

func nodeLine(n *store.Node, to hpc.NodeStatus, reason string) string {
	line := fmt.Sprintf("node %s (%s) is %s", n.Hostname, n.ID, to)
	if reason != "" {
		line += ": " + reason
	}
	return line
}
