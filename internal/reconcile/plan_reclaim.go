package reconcile

import (
	"fmt"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// What is done to a node whose machine is taken back.
const (
	askReclaim     nodeAct = "ask to reclaim" // the market does, for its price
	tellProvider   nodeAct = "reclaim"        // as was asked for
	noteReclaim    nodeAct = "note notice"    // and replace the node
	drainReclaimed nodeAct = "drain for notice"
	requeueJobs    nodeAct = "requeue jobs"
	giveBack       nodeAct = "give back" // its row is no longer wanted
)

// marketNotice is how long before it takes a machine back a market for
// preemptible machines says so.
const marketNotice = 2 * time.Minute

// reclaimReason is what the scheduler keeps of nodes whose machines are taken back.
const reclaimReason = "ehpc: its machine is taken back"

// notice is when the provider takes the node's machine back; zero if it does not
// say so of the machine that the row knows.
func (v *clusterView) notice(n *store.Node) time.Time {
	if m, there := v.Machines[n.ID]; there && m.BootID == n.BootID {
		return m.Reclaim
	}
	return time.Time{}
}

// newNotice tells whether there is a notice that nothing was done about.
func (v *clusterView) newNotice(n *store.Node) bool {
	return computes(n) && !v.notice(n).IsZero() && (n.ReclaimPhase == hpc.NotReclaimed || n.ReclaimPhase == hpc.ReclaimAsked)
}

// tooDear tells that a preemptible node's price is above its limit; "" if not.
func (v *clusterView) tooDear(now time.Time, n *store.Node) string {
	if n.SpotStrategy != hpc.SpotWithPriceLimit || v.Tariff.SpotPrice(n.InstanceType.Name, now) <= n.SpotPriceLimit {
		return ""
	}
	return fmt.Sprintf("the spot price of %s is above the node's limit of %v an hour", n.InstanceType.Name, n.SpotPriceLimit)
}

// unlessSaid drops a step that would only tell once more what the row says.
func unlessSaid(n *store.Node, s *nodeStep) *nodeStep {
	if n.Reason == s.Reason {
		return nil
	}
	return s
}

// planReclaim says what to do next for a node whose machine is taken back, if it
// is. Only nodes that do nothing but compute are given up for it: any other is
// made anew when its machine has ended.
func planReclaim(now time.Time, v *clusterView, n *store.Node, lim Limits) (s *nodeStep, reclaimed bool) {
	if v.Machines == nil || !computes(n) || !v.Cluster.Wanted {
		return nil, false
	}
	at, dead := v.notice(n), v.dead(n)
	asked := n.ReclaimPhase == hpc.ReclaimAsked
	switch {
	case n.ReclaimPhase == hpc.NotReclaimed && at.IsZero():
		return v.planPrice(now, n), false
	case n.ReclaimPhase == hpc.NotReclaimed:
		return &nodeStep{Act: noteReclaim, At: at, Reason: "its provider takes it back"}, true
	case asked && (dead || !at.IsZero()):
		if at.IsZero() {
			at = n.Reclaim
		}
		return &nodeStep{Act: noteReclaim, At: at, Reason: n.ReclaimReason}, true
	case asked:
		return &nodeStep{Act: tellProvider, At: n.Reclaim}, true
	case n.Wanted && (dead || n.Status != hpc.NodeRunning):
		return &nodeStep{Act: giveBack, Reason: "its machine was taken back"}, true
	case v.Sched == nil:
		return nil, true
	}
	return planNoticed(now, v, n, lim), true
}

// planNoticed is for a node whose scheduler answers. Its machine is given back
// before its time if nothing runs there any more.
func planNoticed(now time.Time, v *clusterView, n *store.Node, lim Limits) *nodeStep {
	s, known := v.Sched[n.Hostname]
	switch {
	case known && (s.State == scheduler.NodeIdle || s.State == scheduler.NodeBusy):
		return &nodeStep{Act: drainReclaimed, Reason: reclaimReason}
	case known && s.State == scheduler.NodeDraining:
		if n.ReclaimPhase == hpc.ReclaimNoticed && !v.dead(n) && !now.Before(n.Reclaim.Add(-lim.Lead)) {
			return &nodeStep{Act: requeueJobs, Reason: reclaimReason}
		}
		return nil
	case n.Wanted:
		return &nodeStep{Act: giveBack, Reason: "nothing runs there any more"}
	}
	return nil
}

// planPrice is for a node that nobody takes back: its price may be too high.
func (v *clusterView) planPrice(now time.Time, n *store.Node) *nodeStep {
	price := v.tooDear(now, n)
	if price == "" || !v.Reclaims || !n.Wanted || n.Status == hpc.NodeUninit || v.Machines[n.ID].State != provider.Running {
		return nil
	}
	return &nodeStep{Act: askReclaim, At: now.Add(marketNotice), Reason: price}
}

// planLeaving keeps up what the jobs need that still run on a node which goes.
func planLeaving(now time.Time, v *clusterView, n *store.Node, lim Limits) *nodeStep {
	if v.dead(n) || n.Status != hpc.NodeRunning {
		return nil
	}
	if s := planRunning(now, v, n, lim); s != nil && s.Act == refreshPlan {
		return s
	}
	return nil
}
