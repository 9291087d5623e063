package reconcile

import (
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// nodeAct is what is done to a node next.
type nodeAct string

const (
	makeMachine nodeAct = "make machine"  // or make it anew
	prepareNode nodeAct = "prepare"       // files and services but for the scheduler's, then scripts
	applyPlan   nodeAct = "set up"        // files and services, then ready
	refreshPlan nodeAct = "refresh"       // files and services of a node in service
	rejoinNode  nodeAct = "rejoin"        // the scheduler has forgotten a node in service
	resumeNode  nodeAct = "resume"        // the scheduler has put it out of service by mistake
	moveNode    nodeAct = "move"          // to the queue that its row names
	enterDuty   nodeAct = "enter service" // ready to running
	loseMachine nodeAct = "lose machine"  // its machine is gone: tell the scheduler, begin anew
	failNode    nodeAct = "fail"          // to exception, with the reason
	retryNode   nodeAct = "retry"         // from exception
	drainNode   nodeAct = "drain"
	forceNode   nodeAct = "force"       // its drain limit has passed
	releaseNode nodeAct = "release"     // out of the scheduler, machine destroyed, row dropped
	awaitPrice  nodeAct = "await price" // the spot price is above the node's limit: only told
)

// nodeStep is one step of a node's life.
type nodeStep struct {
	Node   *store.Node
	Act    nodeAct
	Reason string
	At     time.Time // of reclaiming: when the machine is taken back
}

// clusterView is what was observed of one cluster. A part that could not be
// observed is not known, never empty.
type clusterView struct {
	Cluster  *store.Cluster
	Nodes    []*store.Node
	Machines map[string]provider.Machine // by node id; nil: not known
	Present  map[string]bool             // agents that are connected
	Silent   map[string]time.Time        // since when an agent is away
	Sched    map[string]scheduler.Node   // by hostname; nil: not known
	Plans    map[string]string           // the hash of each node's plan as it should be
	Scripts  map[string]scripts          // of nodes that may wait for them
	Tariff   hpc.Tariff
	Reclaims bool // the provider can be told to take machines back

	grows bool // more nodes are just being made
}

// dead tells whether the node's machine has ended, for sure.
func (v *clusterView) dead(n *store.Node) bool {
	m, there := v.Machines[n.ID]
	return v.Machines != nil && (!there || m.State == provider.Dead)
}

func (v *clusterView) manager() *store.Node {
	for _, n := range v.Nodes {
		if n.HasRole(hpc.RoleManager) {
			return n
		}
	}
	return nil
}

// planNodes says what to do next for each node of a cluster: at most one step a
// node, none for a node that has to wait.
func planNodes(now time.Time, v *clusterView, lim Limits) []nodeStep {
	var steps []nodeStep
	v.grows = growing(now, v.Nodes)
	for _, n := range v.Nodes {
		if now.Before(n.RetryAt) && !v.newNotice(n) {
			continue
		}
		s, reclaimed := planReclaim(now, v, n, lim)
		switch {
		case s != nil:
		case !n.Wanted:
			s = planUnwanted(now, v, n)
		case reclaimed:
			s = planLeaving(now, v, n, lim)
		default:
			s = planWanted(now, v, n, lim)
		}
		if s != nil {
			s.Node = n
			steps = append(steps, *s)
		}
	}
	return steps
}

func planWanted(now time.Time, v *clusterView, n *store.Node, lim Limits) *nodeStep {
	if v.Cluster.Status == hpc.ClusterUninit || v.Machines == nil {
		return nil
	}
	m, there := v.Machines[n.ID]
	alive := there && m.State == provider.Running
	if n.Status == hpc.NodeUninit {
		if price := v.tooDear(now, n); price != "" {
			return unlessSaid(n, &nodeStep{Act: awaitPrice, Reason: price + "; it is made when the price has fallen"})
		}
		return &nodeStep{Act: makeMachine}
	}
	if !alive || m.BootID != n.BootID {
		if n.Status == hpc.NodeException {
			return &nodeStep{Act: retryNode}
		}
		return &nodeStep{Act: loseMachine, Reason: "its machine has died"}
	}
	switch n.Status {
	case hpc.NodeInit:
		return planInit(now, v, n, lim)
	case hpc.NodeReady:
		return planReady(now, v, n, lim)
	case hpc.NodeRunning:
		return planRunning(now, v, n, lim)
	case hpc.NodeException:
		if v.Present[n.ID] && v.Scripts[n.ID].State != scriptsFailed { // scripts do not run again by themselves
			return &nodeStep{Act: retryNode}
		}
	}
	return nil
}

func planInit(now time.Time, v *clusterView, n *store.Node, lim Limits) *nodeStep {
	if !v.Present[n.ID] {
		if now.Sub(n.Changed) > lim.Agent {
			return &nodeStep{Act: failNode, Reason: "its agent has not connected in time"}
		}
		return nil
	}
	manager := v.manager()
	if manager == nil || manager.Address == "" {
		return nil
	}
	switch s := v.Scripts[n.ID]; s.State {
	case scriptsMissing, scriptsRunning:
		return nil
	case scriptsWanted:
		return &nodeStep{Act: prepareNode}
	case scriptsFailed:
		return &nodeStep{Act: failNode, Reason: s.Reason}
	}
	if n.HasRole(hpc.RoleCompute) && n != manager && manager.Status != hpc.NodeReady && manager.Status != hpc.NodeRunning {
		return nil // its daemon would only wait for the controller
	}
	return &nodeStep{Act: applyPlan}
}

func planReady(now time.Time, v *clusterView, n *store.Node, lim Limits) *nodeStep {
	joined := true
	if n.HasRole(hpc.RoleManager) {
		joined = v.Sched != nil
	}
	if joined && n.HasRole(hpc.RoleCompute) {
		s, known := v.Sched[n.Hostname]
		joined = known && s.State != scheduler.NodeUnknown && s.State != scheduler.NodeDown
	}
	switch {
	case joined:
		return &nodeStep{Act: enterDuty}
	case now.Sub(n.Changed) > lim.Join:
		return &nodeStep{Act: failNode, Reason: "it has not joined the scheduler in time"}
	}
	return nil
}

func planRunning(now time.Time, v *clusterView, n *store.Node, lim Limits) *nodeStep {
	if !v.Present[n.ID] {
		if since, away := v.Silent[n.ID]; away && now.Sub(since) > lim.Silent {
			return &nodeStep{Act: failNode, Reason: "its agent is silent"}
		}
		return nil
	}
	if want := v.Plans[n.ID]; n.Plan != want && (ownPart(n.Plan) != ownPart(want) || n.HasRole(hpc.RoleManager) || !v.grows) {
		return &nodeStep{Act: refreshPlan}
	}
	if _, known := v.Sched[n.Hostname]; v.Sched != nil && n.HasRole(hpc.RoleCompute) && !known {
		return &nodeStep{Act: rejoinNode}
	}
	if s := v.Sched[n.Hostname]; s.Mistaken && (s.State == scheduler.NodeDraining || s.State == scheduler.NodeDrained) {
		return &nodeStep{Act: resumeNode}
	}
	if s := v.Sched[n.Hostname]; n.HasRole(hpc.RoleCompute) && s.Queue != "" && s.Queue != n.Queue {
		return &nodeStep{Act: moveNode}
	}
	return nil
}

// growFor is how long the neighbours of a node whose machine was just made wait
// for more of them, before they are all told of all.
const growFor = time.Second

// growing tells whether more nodes are just being made. Of twenty that come
// together each would otherwise have to be told of all the others one by one.
func growing(now time.Time, nodes []*store.Node) bool {
	return slices.ContainsFunc(nodes, func(n *store.Node) bool {
		return n.Wanted && n.Status == hpc.NodeInit && now.Sub(n.Changed) < growFor
	})
}

// managed tells whether the cluster's manager is in service, and so its scheduler.
func (v *clusterView) managed() bool {
	m := v.manager()
	return m != nil && m.Status == hpc.NodeRunning && v.Present[m.ID]
}

// mayHaveJobs tells whether jobs may run on a node, whether its scheduler can be
// asked or not: a manager that is away comes back.
func (v *clusterView) mayHaveJobs(n *store.Node) bool {
	return v.Cluster.Status == hpc.ClusterRunning || v.managed() || n.Plan != "" && !v.dead(n)
}

// planUnwanted drains a node before it goes, unless its cluster goes with it, it
// was told to go at once, or it has no jobs for sure. It is waited for until its
// drain limit, if it has one, whether the scheduler answers or not.
func planUnwanted(now time.Time, v *clusterView, n *store.Node) *nodeStep {
	if !v.Cluster.Wanted || n.Force || !n.HasRole(hpc.RoleCompute) || !v.mayHaveJobs(n) {
		return &nodeStep{Act: releaseNode}
	}
	if !n.DrainUntil.IsZero() && !now.Before(n.DrainUntil) {
		return &nodeStep{Act: forceNode}
	}
	if v.Sched == nil {
		return nil
	}
	s, known := v.Sched[n.Hostname]
	if !known {
		return &nodeStep{Act: releaseNode}
	}
	switch {
	case v.dead(n), s.State == scheduler.NodeDrained, s.State == scheduler.NodeDown, s.State == scheduler.NodeUnknown:
		return &nodeStep{Act: releaseNode}
	}
	switch s.State {
	case scheduler.NodeDraining:
		return nil
	}
	return &nodeStep{Act: drainNode}
}
