package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
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
	leaveNode   scaleAct = "leave"          // as it is: only explained
	hinderJob   scaleAct = "tell the owner" // why no node is added for the job; "" for no reason any more
)

// scaleStep is one decision and its reason.
type scaleStep struct {
	Act     scaleAct
	Queue   string
	Node    *store.Node // of all but those of adding
	Job     *store.Job  // of hinderJob
	Count   int         // of nodes, or of checks
	Offer   *offer      // of nodes to add
	Passing bool        // of hinderJob: it goes by itself, and is told for the queue as a whole
	Limit   string      // of addNone: what keeps the queue from growing
	Hosts   string      // of addNodes, once they have names: for the log
	Reason  string
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
	Tariff  hpc.Tariff        // of the instance types that there are
	Type    string            // of the cluster's compute nodes
	Limit   int               // of the service: nodes of all kinds in a cluster
	Minute  time.Duration     // that settings count in
	Room    map[string]int    // by instance type: how many new nodes this round may have, where that is known
	Stock   map[string]int    // by instance type: how many there are, where a queue goes by it
	Explain bool              // tell also why nothing is done
	Scarce  map[string]string // instance types that this round has found no capacity for, and why

	Budgets  hpc.Budgets      // that stand in the cluster
	File     []hpc.FileBudget // those of the configuration
	Currency string
	At       time.Time // of the observation
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
		used: map[string]int{}, going: map[*store.Node]bool{}, needed: map[*store.Node]string{}, hindered: map[*store.Job]hindrance{}}
	for _, n := range v.Nodes {
		if n.ReclaimPhase != hpc.NotReclaimed { // it goes, whatever its queue needs
			p.going[n] = true
			continue
		}
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
	used     map[string]int         // by instance type, of those added
	going    map[*store.Node]bool   // given up, or taken back
	needed   map[*store.Node]string // by waiting jobs, and for what
	hindered map[*store.Job]hindrance
}

// hindrance is why no node is added for a job.
type hindrance struct {
	why     string
	passing bool // it goes by itself
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
	overspent := p.overspent(queue, set)
	if overspent {
		set.Grow = false
	}
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
	next := p.Config.Rounds[queue].Add(p.minutes(p.Config.Settings.GrowInterval))
	if !set.Grow || p.now.Before(next) {
		if !overspent {
			p.explainPause(queue, set, pack, next)
		}
		return
	}
	wish, missing := p.wish(queue, set, pack)
	n := min(wish, pack.room)
	if set.MaxPerCycle > 0 {
		n = min(n, set.MaxPerCycle)
	}
	limited := n < wish || pack.short > 0
	need := pack.made + pack.short + pack.lacking
	for pack.made < n && pack.openAny() {
	}
	scarce := pack.lacking > 0 || pack.made < n
	n = min(n, pack.made)
	if n < wish+pack.short+pack.lacking && n < set.MinPerCycle && !set.AutoMin {
		n, limited = 0, true
	}
	var limits []string
	if limited {
		limits = append(limits, p.limits(set))
	}
	shortage := shortage(pack.offers)
	if scarce {
		limits = append(limits, shortage)
	}
	limit := strings.Join(limits, "; ")
	why := fmt.Sprintf("waiting jobs: %d, nodes of the queue: %d", count, have)
	if missing > 0 && (count == 0 || need == 0) {
		why = fmt.Sprintf("the queue has %d nodes and is to have %d at least", have, set.MinNodes)
	} else if limited || scarce {
		why += fmt.Sprintf(", and %d more would be needed", need)
	}
	if text := cmp.Or(limit, shortage); text != "" {
		why += "; " + text
	}
	if pack.beyond > 0 {
		why += fmt.Sprintf("; no node is added for %d of the jobs: %s", pack.beyond, strings.Join(pack.why, "; "))
	}
	p.decide(queue, pack, n, wish+pack.short+pack.lacking > 0, limit, why)
}

// wish is how many nodes a round adds if nothing keeps it from that, and how
// many the queue lacks of its minimum.
func (p *scalePlanner) wish(queue string, set hpc.QueueScale, pack *packing) (wish, missing int) {
	cfg := p.Config.Settings
	wish = (pack.made*cfg.GrowRatio + 99) / 100
	wish += wish * cfg.ExtraRatio / 100
	missing = max(0, set.MinNodes-p.count(func(n *store.Node) bool { return n.Queue == queue && n.Wanted && !p.going[n] }))
	return max(wish, missing), missing
}

// decide adds the first so many nodes of a packing, or tells once why none.
func (p *scalePlanner) decide(queue string, pack *packing, n int, needed bool, limit, why string) {
	p.added += n
	counts, offers := pack.counts(n)
	for i, o := range offers {
		p.used[o.Name] += counts[i]
		p.add(scaleStep{Act: addNodes, Queue: queue, Count: counts[i], Offer: o, Reason: why})
	}
	switch {
	case n > 0:
	case needed && p.Config.Said[queue] != limit:
		p.add(scaleStep{Act: addNone, Queue: queue, Limit: limit, Reason: why})
	case !needed && p.Config.Said[queue] != "":
		p.add(scaleStep{Act: addNone, Queue: queue})
	case p.Explain && pack.beyond > 0:
		p.add(scaleStep{Act: addNone, Queue: queue, Reason: why})
	case p.Explain:
		p.add(scaleStep{Act: addNone, Queue: queue, Reason: why + ", which are enough"})
	}
}

// explainPause tells why a queue has no round now.
func (p *scalePlanner) explainPause(queue string, set hpc.QueueScale, pack *packing, next time.Time) {
	why := "growing is off for it"
	if set.Grow {
		why = "its next round is not before " + next.UTC().Format("15:04:05 UTC")
		if need := pack.made + pack.short + pack.lacking; need > 0 {
			why += fmt.Sprintf(", and %d more would be needed", need)
		}
	}
	if p.Explain {
		p.add(scaleStep{Act: addNone, Queue: queue, Reason: why})
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
	pack := &packing{room: max(0, room), offers: p.offers(queue, set), caps: map[string]int{}}
	for name, most := range p.Room {
		pack.caps[name] = max(0, most-p.used[name])
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

// place packs jobs, and notes those that new nodes cannot help, or of which none
// are to be had.
func (p *scalePlanner) place(pack *packing, c crowd, set hpc.QueueScale) {
	c.waiting = pack.over(c.waiting)
	most := p.Config.Settings.MaxNodes
	if set.MaxNodes > 0 {
		most = min(most, set.MaxNodes)
	}
	fit := p.count(func(n *store.Node) bool {
		return n.Queue == c.Queue && n.Wanted && newBin(n, n.InstanceType).holds(c.waiting) > 0
	})
	if c.Nodes > max(fit, most) { // nothing is short of it: a round's minimum does not wait for it
		if set.Grow {
			p.hopeless(pack, c, most)
		}
		return
	}
	left, lacking := pack.put(c)
	if left == 0 || !set.Grow {
		return
	}
	switch {
	case lacking:
		var why []offer
		for _, o := range pack.holding(c.waiting) {
			why = append(why, *o)
		}
		p.hinderRows(c.last(left), true, shortage(why))
	case fit >= c.Nodes:
	case len(pack.holding(c.waiting)) == 0:
		p.hopeless(pack, c, most)
	}
}

// hopeless is for jobs that the queue's nodes will never hold.
func (p *scalePlanner) hopeless(pack *packing, c crowd, most int) {
	asks := fmt.Sprintf("it asks for %d nodes", c.Nodes)
	why := fmt.Sprintf("queue %s grows to %d at most", c.Queue, most)
	if len(pack.holding(c.waiting)) == 0 {
		asks = fmt.Sprintf("it asks for %s on a node", c.waiting)
		why = fmt.Sprintf("no instance type of queue %s has %s (%s)", c.Queue, c.waiting, sizes(pack.offers))
	}
	if pack.beyond += c.Count; !slices.Contains(pack.why, why) {
		pack.why = append(pack.why, why)
	}
	p.hinderRows(c.last(c.Count), false, asks+", "+why)
}

func (p *scalePlanner) hinderRows(rows []*store.Job, passing bool, why string) {
	for _, row := range rows {
		p.hindered[row] = hindrance{"no node is added for it: " + why, passing}
	}
}

// over is a job that may be spread as it is put on nodes of the first offer that
// holds it so, of those that are to be had if there is one.
func (p *packing) over(w waiting) waiting {
	for _, any := range []bool{false, true} {
		for i := range p.offers {
			o := &p.offers[i]
			if each := w.over(o.InstanceType); (any || p.left(o) > 0) && newBin(nil, o.InstanceType).holds(each) > 0 {
				return each
			}
		}
	}
	return w
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

// hindersAtOnce is how many jobs' owners one pass tells; the next one goes on.
const hindersAtOnce = 1000

// hinder tells owners what keeps their jobs waiting, and takes back what does
// not any more.
func (p *scalePlanner) hinder() {
	told := 0
	for _, row := range p.Jobs {
		if h := p.hindered[row]; h.why != row.Hindrance && told < hindersAtOnce {
			p.add(scaleStep{Act: hinderJob, Queue: row.Queue, Job: row, Passing: h.passing, Reason: h.why})
			told++
		}
	}
}
