package reconcile

import (
	"fmt"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// scaleAct is what is done for a cluster to fit its queue.
type scaleAct string

const (
	addNodes    scaleAct = "add nodes"
	addNone     scaleAct = "add none"       // though some are needed: only told, and once; without a reason: not any more
	resetNode   scaleAct = "reset"          // its machine is made anew
	giveUpNode  scaleAct = "give up"        // it goes, with its machine
	countIdle   scaleAct = "count"          // a check found it idle, or not any more: not told
	drainIdle   scaleAct = "drain"          // and look once more
	keepNode    scaleAct = "keep"           // after all
	releaseIdle scaleAct = "release"        // its row is no longer wanted
	hinderJob   scaleAct = "tell the owner" // why no node is added for the job; "" for no reason any more
)

// scaleStep is one decision and its reason.
type scaleStep struct {
	Act    scaleAct
	Queue  string
	Node   *store.Node      // of all but those of adding
	Job    *store.Job       // of hinderJob
	Count  int              // of nodes, or of checks
	Type   hpc.InstanceType // of nodes to add
	Limit  string           // of addNone: what keeps the queue from growing
	Reason string
}

// idleReason is what the scheduler keeps of nodes that were drained to go. A
// node that is drained for any other reason is an administrator's.
const idleReason = "ehpc: idle, it is to be released"

// scaleView is what was observed of one cluster. A part that could not be
// observed is not known, never empty.
type scaleView struct {
	Config  *store.ScaleConfig
	Own     map[string]hpc.QueueScale // queues that have settings of their own
	Queues  []*store.Queue
	Nodes   []*store.Node
	Sched   map[string]scheduler.Node // by hostname; nil: not known
	Quiet   map[string]bool           // ids of nodes on which nobody is logged in, for sure
	Jobs    []*store.Job              // that have not ended
	Waiting []crowd
	Types   map[string]hpc.InstanceType // those that there are
	Type    string                      // of the cluster's compute nodes
	Limit   int                         // of the service: nodes of all kinds in a cluster
	Minute  time.Duration               // that settings count in
}

// planScale says what to do now for a cluster to fit its queue. It adds nothing
// and takes nothing away while the scheduler does not answer: what is not known
// is busy.
func planScale(now time.Time, v *scaleView) []scaleStep {
	due := v.checkDue(now)
	if v.Sched == nil {
		return v.forgetIdle(due)
	}
	p := &scalePlanner{scaleView: v, now: now, due: due, excluded: v.Config.Settings.Excluded(),
		going: map[*store.Node]bool{}, needed: map[*store.Node]string{}, hindered: map[*store.Job]string{}}
	for _, n := range v.Nodes {
		p.late(n)
	}
	for _, q := range v.Queues {
		p.grow(q.Name)
	}
	p.hinder()
	for _, q := range v.Queues {
		p.shrink(q.Name)
	}
	return p.steps
}

type scalePlanner struct {
	*scaleView
	now      time.Time
	due      bool // for a check of idle nodes
	excluded []string
	steps    []scaleStep
	added    int
	going    map[*store.Node]bool   // given up
	needed   map[*store.Node]string // by waiting jobs, and for what
	hindered map[*store.Job]string
}

func (v *scaleView) minutes(n int) time.Duration { return time.Duration(n) * v.Minute }

// of are a queue's settings: its own, or the cluster's.
func (v *scaleView) of(queue string) hpc.QueueScale {
	if own, ok := v.Own[queue]; ok {
		return own
	}
	return hpc.QueueScale{Grow: v.Config.Settings.Grow, Shrink: v.Config.Settings.Shrink}
}

// active tells whether there may be something to do: some queue grows or
// shrinks, or did until now.
func (v *scaleView) active() bool {
	if slices.ContainsFunc(v.Nodes, func(n *store.Node) bool { return n.Idle > 0 }) {
		return true // one may be drained already
	}
	on := func(s hpc.QueueScale) bool { return s.Grow || s.Shrink }
	return slices.ContainsFunc(v.Queues, func(q *store.Queue) bool { return on(v.of(q.Name)) })
}

func (v *scaleView) forgetIdle(due bool) (steps []scaleStep) {
	if !due {
		return nil
	}
	for _, n := range v.Nodes {
		if n.Idle > 0 {
			steps = append(steps, scaleStep{Act: countIdle, Queue: n.Queue, Node: n, Reason: "the scheduler does not answer"})
		}
	}
	return steps
}

func (p *scalePlanner) add(s scaleStep) { p.steps = append(p.steps, s) }

func (p *scalePlanner) isExcluded(n *store.Node) bool {
	return slices.Contains(p.excluded, n.Hostname) || slices.Contains(p.excluded, n.ID)
}

// computes tells whether a node does nothing but compute.
func computes(n *store.Node) bool { return n.HasRole(hpc.RoleCompute) && !n.HasRole(hpc.RoleManager) }

// late resets a node that was added here and is not in service in time, and
// gives it up the second time.
func (p *scalePlanner) late(n *store.Node) {
	timeout := p.minutes(p.Config.Settings.GrowTimeout)
	switch s := p.Sched[n.Hostname].State; {
	case n.CreateMode != store.Autoscale || !n.Wanted || n.Status == hpc.NodeRunning || n.Awaited.IsZero(),
		!p.of(n.Queue).Grow || p.isExcluded(n),
		s == scheduler.NodeBusy || s == scheduler.NodeDraining,
		p.now.Before(n.Awaited.Add(timeout)):
		return
	}
	after := fmt.Sprintf("it is not in service after %s", timeout)
	if n.Resets == 0 {
		p.add(scaleStep{Act: resetNode, Queue: n.Queue, Node: n, Reason: after + ", it is made anew"})
		return
	}
	p.going[n] = true
	p.add(scaleStep{Act: giveUpNode, Queue: n.Queue, Node: n, Reason: after + " once more, it is given up"})
}

// grow adds the nodes that a queue's waiting jobs need.
func (p *scalePlanner) grow(queue string) {
	set := p.of(queue)
	pack := p.pack(queue)
	if !set.Grow {
		pack.room = 0
	}
	have := p.count(func(n *store.Node) bool { return n.Queue == queue })
	count := 0
	for _, c := range p.Waiting {
		if c.Queue == queue {
			p.place(pack, c, set)
			count += c.Count
		}
	}
	for _, b := range pack.bins {
		if b.taken && b.node != nil {
			p.needed[b.node] = "jobs wait for it"
		}
	}
	if !set.Grow || p.now.Before(p.Config.Rounds[queue].Add(p.minutes(p.Config.Settings.GrowInterval))) {
		return
	}
	cfg := p.Config.Settings
	wish := (pack.made*cfg.GrowRatio + 99) / 100
	wish += wish * cfg.ExtraRatio / 100
	missing := max(0, set.MinNodes-p.count(func(n *store.Node) bool { return n.Queue == queue && n.Wanted && !p.going[n] }))
	wish = max(wish, missing)
	n := min(wish, pack.room)
	if set.MaxPerCycle > 0 {
		n = min(n, set.MaxPerCycle)
	}
	if n < wish+pack.short && n < set.MinPerCycle && !set.AutoMin {
		n = 0
	}
	why := fmt.Sprintf("waiting jobs: %d, nodes of the queue: %d", count, have)
	limit := p.limits(set)
	switch {
	case count == 0 || pack.made == 0 && missing > 0:
		why = fmt.Sprintf("the queue has %d nodes and is to have %d at least", have, set.MinNodes)
	case n < wish || pack.short > 0:
		why += fmt.Sprintf(", and %d more would be needed; %s", pack.made+pack.short, limit)
	}
	p.added += n
	switch {
	case n > 0:
		p.add(scaleStep{Act: addNodes, Queue: queue, Count: n, Type: pack.fresh, Reason: why})
	case wish+pack.short > 0 && p.Config.Said[queue] != limit:
		p.add(scaleStep{Act: addNone, Queue: queue, Limit: limit, Reason: why})
	case wish+pack.short == 0 && p.Config.Said[queue] != "":
		p.add(scaleStep{Act: addNone, Queue: queue})
	}
}

func (p *scalePlanner) count(which func(*store.Node) bool) (n int) {
	for _, node := range p.Nodes {
		if computes(node) && which(node) {
			n++
		}
	}
	return n
}

func (p *scalePlanner) limits(set hpc.QueueScale) string {
	text := fmt.Sprintf("the cluster has %d of at most %d compute nodes", p.count(func(*store.Node) bool { return true }), p.Config.Settings.MaxNodes)
	if p.Limit < p.Config.Settings.MaxNodes {
		text += fmt.Sprintf(" (%d of at most %d of all kinds)", len(p.Nodes), p.Limit)
	}
	for _, l := range []struct {
		n    int
		text string
	}{{set.MaxNodes, "the queue at most %d"}, {set.MaxPerCycle, "a round adds at most %d"}, {set.MinPerCycle, "and at least %d"}} {
		if l.n > 0 {
			text += ", " + fmt.Sprintf(l.text, l.n)
		}
	}
	return text
}

// pack is a queue's nodes with what is free on them. Nodes that are going are
// filled last; what is on its way is empty.
func (p *scalePlanner) pack(queue string) *packing {
	set := p.of(queue)
	all := p.count(func(*store.Node) bool { return true })
	room := min(p.Config.Settings.MaxNodes-all, p.Limit-len(p.Nodes)) - p.added
	if set.MaxNodes > 0 {
		room = min(room, set.MaxNodes-p.count(func(n *store.Node) bool { return n.Queue == queue }))
	}
	pack := &packing{room: max(0, room), fresh: p.freshType(queue, set)}
	if pack.fresh.Name == "" {
		pack.room = 0
	}
	var last []*bin
	for _, n := range p.Nodes {
		if n.Queue != queue || !n.HasRole(hpc.RoleCompute) || !n.Wanted || p.going[n] {
			continue
		}
		if b, leaves := p.free(n); leaves {
			last = append(last, b)
		} else if b != nil {
			pack.bins = append(pack.bins, b)
		}
	}
	pack.bins = append(pack.bins, last...)
	return pack
}

// free is what a node can take; nil for one that takes nothing.
func (p *scalePlanner) free(n *store.Node) (b *bin, leaves bool) {
	b = newBin(n, n.InstanceType)
	if n.Status != hpc.NodeRunning {
		if n.Status == hpc.NodeException && n.CreateMode != store.Autoscale {
			return nil, false // nobody replaces it
		}
		return b, false
	}
	switch s := p.Sched[n.Hostname]; s.State {
	case scheduler.NodeIdle, scheduler.NodeUnknown:
		return b, false
	case scheduler.NodeBusy:
		b.cores, b.memory, b.gpus = b.cores-s.CoresUsed, b.memory-s.MemUsedMB, 0
		return b, false
	case scheduler.NodeDrained:
		if s.Reason == idleReason {
			return b, true
		}
	}
	return nil, false
}

// freshType is the type of a queue's new nodes: the one that was set, its newest
// node's, or the cluster's.
func (p *scalePlanner) freshType(queue string, set hpc.QueueScale) hpc.InstanceType {
	name := p.Type
	for _, n := range p.Nodes {
		if computes(n) && n.Queue == queue {
			name = n.InstanceType.Name
		}
	}
	if set.InstanceType != "" {
		name = set.InstanceType
	}
	return p.Types[name]
}

// place packs jobs, and notes those that new nodes cannot help.
func (p *scalePlanner) place(pack *packing, c crowd, set hpc.QueueScale) {
	c.waiting = c.over(pack.fresh)
	left := pack.put(c)
	if left == 0 || !set.Grow {
		return
	}
	most := p.Config.Settings.MaxNodes
	if set.MaxNodes > 0 {
		most = min(most, set.MaxNodes)
	}
	fit := p.count(func(n *store.Node) bool {
		return n.Queue == c.Queue && n.Wanted && newBin(n, n.InstanceType).holds(c.waiting) > 0
	})
	why := ""
	switch {
	case fit >= c.Nodes:
	case newBin(nil, pack.fresh).holds(c.waiting) == 0:
		why = fmt.Sprintf("no node is added for it: it asks for %s on a node, those of queue %s (%s) have %d cores, %d MB and %d GPUs",
			c.waiting, c.Queue, orNone(pack.fresh.Name), pack.fresh.Cores, pack.fresh.MemoryMB, pack.fresh.GPUs)
	case c.Nodes > most:
		why = fmt.Sprintf("no node is added for it: it asks for %d nodes, queue %s grows to %d at most", c.Nodes, c.Queue, most)
	}
	for _, row := range c.Rows {
		if why != "" {
			p.hindered[row] = why
		}
	}
}

func orNone(name string) string {
	if name == "" {
		return "of no known type"
	}
	return name
}

func (w waiting) String() string {
	text := fmt.Sprintf("%d cores", w.Cores)
	if w.MemoryMB > 0 {
		text += fmt.Sprintf(", %d MB", w.MemoryMB)
	}
	if w.GPUs > 0 {
		text += fmt.Sprintf(", %d GPUs", w.GPUs)
	}
	return text
}

// hinder tells owners what keeps their jobs waiting, and takes back what does
// not any more.
func (p *scalePlanner) hinder() {
	for _, row := range p.Jobs {
		if why := p.hindered[row]; why != row.Hindrance {
			p.add(scaleStep{Act: hinderJob, Queue: row.Queue, Job: row, Reason: why})
		}
	}
}
