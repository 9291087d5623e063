package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

const (
	// failuresLimit is how many jobs in a row speak against a sick node, within
	// failuresFor, and accountsLimit of how many accounts they are at least: one
	// account alone takes no node out of service.
	failuresLimit = 3
	failuresFor   = time.Hour
	accountsLimit = 2
	// replacedLimit is after how many replacements within replacedFor a queue stops
	// replacing.
	replacedLimit = 5
	replacedFor   = time.Hour
	// looksNeeded is how many looks in a row find the same before it is believed.
	looksNeeded = 2
)

// sickPrefix begins the reasons of our drains of sick nodes, as the scheduler
// keeps them. A node that is drained for any other reason is an administrator's.
const sickPrefix = "ehpc: sick: "

// healthAct is what is done about a node's health.
type healthAct string

const (
	noteSick    healthAct = "note"    // what ails it; nodes that compute are drained then
	noteSound   healthAct = "recover" // nothing does any more; nodes that compute are resumed then
	drainSick   healthAct = "drain"
	resumeSound healthAct = "resume"
	resumeAsked healthAct = "resume as asked"
	replaceSick healthAct = "replace"
)

// healthStep is one decision and its reason.
type healthStep struct {
	Node  *store.Node
	Act   healthAct
	Fault fault // of noteSick
}

// fault is what ails a node.
type fault struct {
	Cause  hpc.Ailment // "" for nothing
	Reason string
}

// healthView is what was observed of one cluster. A part that could not be
// observed is not known: nobody is sick for that.
type healthView struct {
	Nodes  []*store.Node
	Queues []*store.Queue
	Sched  map[string]scheduler.Node // by hostname; nil: not known
	Looks  map[string]look           // by node id

	halted map[string]bool // queues that replace no more nodes
}

// planHealth says what to do about each node's health: at most one step a node.
func planHealth(now time.Time, v *healthView) []healthStep {
	var steps []healthStep
	room := map[string]int{} // replacements that are left, by queue
	v.halted = map[string]bool{}
	for _, q := range v.Queues {
		if v.halted[q.Name] = !q.Halted.IsZero(); !v.halted[q.Name] {
			room[q.Name] = replacedLimit - len(recent(q.Replaced, now))
		}
	}
	for _, n := range v.Nodes {
		if !n.Wanted || n.Status != hpc.NodeRunning || n.ReclaimPhase != "" {
			continue
		}
		s := healthStep{Node: n}
		switch _, known := v.Sched[n.Hostname]; {
		case n.Health.Resume && known && !n.Health.Replacing:
			s.Act = resumeAsked
		case computes(n):
			s.Act, s.Fault = v.compute(now, n)
		default:
			s.Act, s.Fault = v.complain(now, n)
		}
		if s.Act == replaceSick && !n.Health.Replacing {
			if room[n.Queue]--; room[n.Queue] < 0 {
				continue
			}
		}
		if s.Act != "" {
			steps = append(steps, s)
		}
	}
	return steps
}

// complain is for nodes that are looked after by people: managers and those to
// log in on.
func (v *healthView) complain(now time.Time, n *store.Node) (healthAct, fault) {
	switch f, sound := v.fault(now, n); {
	case f.Cause != "" && n.Health.Cause == "":
		return noteSick, f
	case sound && n.Health.Cause != "":
		return noteSound, fault{}
	}
	return "", fault{}
}

func (v *healthView) compute(now time.Time, n *store.Node) (healthAct, fault) {
	s, known := v.Sched[n.Hostname]
	if !known {
		return "", fault{}
	}
	out := s.State == scheduler.NodeDrained || s.State == scheduler.NodeDraining || s.State == scheduler.NodeDown
	ours := strings.HasPrefix(s.Reason, sickPrefix)
	switch {
	case n.Health.Replacing:
		return replaceSick, fault{}
	case out && !ours:
		return "", fault{}
	}
	switch f, sound := v.fault(now, n); {
	case n.Health.Cause == "" && f.Cause != "":
		return noteSick, f
	case n.Health.Cause == "" && out && s.State != scheduler.NodeDown:
		return resumeSound, fault{}
	case n.Health.Cause == "":
		return "", fault{}
	case sound:
		return noteSound, fault{}
	case !out:
		return drainSick, fault{}
	case s.State != scheduler.NodeDraining:
		return replaceSick, fault{}
	}
	return "", fault{}
}

// fault is what ails a node. One that is sick is sound only when that was seen:
// that jobs failed long ago proves nothing. Where nodes are not replaced any more,
// one that only jobs speak against serves better than none.
func (v *healthView) fault(now time.Time, n *store.Node) (f fault, sound bool) {
	l, known := v.Looks[n.ID]
	known = known && l.Times >= looksNeeded
	switch {
	case known && l.Cause != "":
		return l.fault, false
	case !v.halted[n.Queue] && v.failing(now, n):
		return fault{hpc.JobsFail, "it does not start jobs or loses them, the last ones were " + strings.Join(failed(n), ", ")}, false
	}
	return fault{}, known && (n.Health.InRow == 0 || v.halted[n.Queue])
}

// failing tells whether enough jobs in a row speak against a node: of several
// accounts, or such as lost the node, which no account can bring about. An account
// whose jobs speak against other nodes as well is thought to be the cause itself.
func (v *healthView) failing(now time.Time, n *store.Node) bool {
	if n.Health.InRow < failuresLimit {
		return false
	}
	since := now.Add(-failuresFor)
	last := slices.DeleteFunc(inRow(n), func(f hpc.JobFailure) bool { return f.At.Before(since) })
	lost, accounts := 0, map[int]bool{}
	for _, f := range last {
		accounts[f.UID] = true
		if f.Lost {
			lost++
		}
	}
	return len(last) >= failuresLimit && (len(accounts) >= accountsLimit || lost >= failuresLimit) && slices.ContainsFunc(last, func(f hpc.JobFailure) bool {
		return !slices.ContainsFunc(v.Nodes, func(o *store.Node) bool {
			return o != n && slices.ContainsFunc(o.Health.Failures, func(g hpc.JobFailure) bool { return g.UID == f.UID && !g.At.Before(since) })
		})
	})
}

// inRow are the jobs in a row that speak against a node, as far as they are kept.
func inRow(n *store.Node) []hpc.JobFailure {
	all := n.Health.Failures
	return slices.Clone(all[max(0, len(all)-n.Health.InRow):])
}

func failed(n *store.Node) (ids []string) {
	last := inRow(n)
	for _, f := range last[max(0, len(last)-failuresLimit):] {
		ids = append(ids, fmt.Sprintf("%.20s", f.Job))
	}
	return ids
}

// recent are the replacements that count.
func recent(at []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(at), func(t time.Time) bool { return !t.After(now.Add(-replacedFor)) })
}
