package reconcile

import (
	"fmt"
	"slices"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// shrink lets a queue's nodes go that have nothing to do: those that were drained
// for it, once they were looked at again, and those that enough checks in a row
// have found idle.
func (p *scalePlanner) shrink(queue string) {
	set := p.of(queue)
	var nodes []*store.Node
	for _, n := range p.Nodes {
		if computes(n) && n.Queue == queue && n.Wanted && !p.going[n] {
			nodes = append(nodes, n)
		}
	}
	spare := len(nodes) - set.MinNodes
	for _, n := range slices.Backward(nodes) { // those that came last go first
		if s := p.Sched[n.Hostname]; n.Status == hpc.NodeRunning && s.Reason == idleReason &&
			(s.State == scheduler.NodeDrained || s.State == scheduler.NodeDraining) {
			if p.second(n, s, set, spare) {
				spare--
			}
			continue
		}
		if p.Explain {
			p.explainNode(n, set, spare)
		}
		if !p.due {
			continue
		}
		checks, why := 0, "shrinking is off for its queue"
		if set.Shrink {
			why = p.busy(n)
		}
		if why == "" {
			checks, why = min(n.Idle+1, p.Config.Settings.ShrinkIdleTimes), "this one found it so"
		}
		if checks != n.Idle {
			p.add(scaleStep{Act: countIdle, Queue: queue, Node: n, Count: checks, Reason: why})
		}
		if checks >= p.Config.Settings.ShrinkIdleTimes && spare > 0 {
			spare--
			p.add(scaleStep{Act: drainIdle, Queue: queue, Node: n, Count: checks,
				Reason: fmt.Sprintf("it was idle at %d checks in a row", checks)})
		}
	}
}

// second looks at a node that was drained to go; it tells whether it goes.
func (p *scalePlanner) second(n *store.Node, s scheduler.Node, set hpc.QueueScale, spare int) bool {
	why := p.busy(n)
	switch {
	case s.State == scheduler.NodeDraining:
		why = "it has got a job meanwhile"
	case !set.Shrink:
		why = "the queue does not shrink any more"
	case why == "" && spare <= 0:
		why = fmt.Sprintf("the queue is to have %d nodes at least", set.MinNodes)
	}
	if why == "" {
		p.add(scaleStep{Act: releaseIdle, Queue: n.Queue, Node: n, Reason: "it was idle, and is so after it was drained"})
		return true
	}
	p.add(scaleStep{Act: keepNode, Queue: n.Queue, Node: n, Reason: why})
	return false
}

// busy is why a node must not go; "" for one that has nothing to do.
func (p *scalePlanner) busy(n *store.Node) string {
	s := p.Sched[n.Hostname]
	drained := s.State == scheduler.NodeDrained && s.Reason == idleReason
	switch {
	case p.isExcluded(n):
		return "ExcludeNodes names it"
	case (s.State == scheduler.NodeDrained || s.State == scheduler.NodeDraining) && s.Reason != idleReason:
		return "it is drained: " + s.Reason
	case n.Status != hpc.NodeRunning || s.State != scheduler.NodeIdle && !drained || s.CoresUsed > 0:
		return "it is not idle"
	case p.needed[n] != "":
		return p.needed[n]
	case !p.Quiet[n.ID]:
		return "somebody is logged in, or it does not answer"
	}
	return ""
}

// explainNode tells why a node stays for now.
func (p *scalePlanner) explainNode(n *store.Node, set hpc.QueueScale, spare int) {
	times := p.Config.Settings.ShrinkIdleTimes
	why := p.busy(n)
	switch {
	case !set.Shrink:
		why = "shrinking is off for its queue"
	case why != "":
	case p.due && min(n.Idle+1, times) > n.Idle, p.due && spare > 0:
		return // it is counted, or drained
	case spare <= 0 && n.Idle >= times:
		why = fmt.Sprintf("the queue is to have %d nodes at least", set.MinNodes)
	default:
		next := p.Config.Checked.Add(p.minutes(p.Config.Settings.ShrinkInterval))
		why = fmt.Sprintf("it was idle at %d of %d checks in a row, the next is at %s", n.Idle, times, next.UTC().Format("15:04:05 UTC"))
	}
	p.add(scaleStep{Act: leaveNode, Queue: n.Queue, Node: n, Reason: why})
}
