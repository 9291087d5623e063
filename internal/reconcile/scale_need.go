package reconcile

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// waiting are jobs of one kind that would start if there were nodes for them.
type waiting struct {
	Queue    string
	Nodes    int  // that each takes
	Cores    int  // on each node
	MemoryMB int  // likewise; 0 for what goes with the cores
	GPUs     int  // likewise
	Whole    bool // it shares its nodes with no other job
	Spread   bool // it may be put on more nodes, with Cores and MemoryMB of all together
}

// crowd is how many jobs are waiting, by what they ask for, and whose they are.
type crowd struct {
	waiting
	Count int
	Rows  []claim // the first of them start first
}

// claim is how many of a crowd are of one row.
type claim struct {
	Job   *store.Job
	Count int
}

// last are the rows that the last so many of the crowd are of.
func (c crowd) last(count int) (rows []*store.Job) {
	for _, r := range slices.Backward(c.Rows) {
		if count <= 0 {
			break
		}
		rows = append(rows, r.Job)
		count -= r.Count
	}
	return rows
}

// leaving are the hosts whose machines are taken back.
func leaving(nodes []*store.Node) map[string]bool {
	hosts := map[string]bool{}
	for _, n := range nodes {
		if n.ReclaimPhase != hpc.NotReclaimed {
			hosts[n.Hostname] = true
		}
	}
	return hosts
}

// waits tells whether a job would start if there were a node for it, or will
// once it is put back into the queue by a host that leaves.
func waits(j scheduler.Job, row *store.Job, leaving map[string]bool) bool {
	if row != nil && !row.Wanted {
		return false
	}
	if j.State == hpc.JobRunning && (row == nil || row.Token == "" || row.Spec.Rerunable) {
		return slices.ContainsFunc(j.Nodes, func(host string) bool { return leaving[host] })
	}
	return j.State == hpc.JobPending && !j.Held && hpc.WaitsForNodes(j.Reason)
}

// waitingJobs are the jobs that the scheduler shows waiting for nodes. An
// array's tasks are counted one by one.
func waitingJobs(rows []*store.Job, seen scheduler.Observation, leaving map[string]bool) []crowd {
	byID := map[string]*store.Job{}
	for _, row := range rows {
		if row.SchedID != "" {
			byID[row.SchedID] = row
		}
	}
	parts, running, ends := map[string]int{}, map[string]int{}, byRow(seen.Ends)
	for _, j := range seen.Queue {
		if j.Task == "" {
			continue
		}
		parts[j.Whole()]++
		if j.State != hpc.JobPending {
			running[j.Whole()]++
		}
	}
	at := map[waiting]int{}
	var crowds []crowd
	for _, j := range seen.Queue {
		row := byID[j.Whole()]
		if !waits(j, row, leaving) {
			continue
		}
		count := max(1, j.Tasks)
		if row != nil && j.Array != "" && j.Task == "" && j.Tasks == 0 {
			count = max(1, tasks(row)-row.Ends-len(ends[row.SchedID])-parts[row.SchedID])
		}
		if j.AtOnce > 0 {
			count = min(count, j.AtOnce-running[j.Whole()])
		}
		if count <= 0 {
			continue // the others of its array are as many as may run
		}
		what := asked(row, j)
		i, known := at[what]
		if !known {
			i = len(crowds)
			at[what] = i
			crowds = append(crowds, crowd{waiting: what})
		}
		crowds[i].Count += count
		if row != nil {
			crowds[i].Rows = append(crowds[i].Rows, claim{row, count})
		}
	}
	// The largest first, so that the small ones fill what is left.
	slices.SortStableFunc(crowds, func(a, b crowd) int {
		return cmp.Or(cmp.Compare(b.Nodes, a.Nodes), cmp.Compare(b.Cores, a.Cores), cmp.Compare(b.MemoryMB, a.MemoryMB), cmp.Compare(b.GPUs, a.GPUs))
	})
	return crowds
}

// asked is what a job needs: one of ours what it was submitted with, any other
// what the scheduler tells.
func asked(row *store.Job, j scheduler.Job) waiting {
	queue, _, _ := strings.Cut(j.Queue, ",") // one may name several
	if row == nil || row.Token == "" {
		return asking(queue, j)
	}
	s := row.Spec
	return waiting{Queue: queue, Nodes: max(1, s.Nodes), Cores: max(1, s.Tasks) * max(1, s.Threads), MemoryMB: s.MemoryMB, GPUs: s.GPUs}
}

// asking is what a job needs that was submitted on a node. One that asks for a
// single node may do so because its tasks fit any number: that is not told apart.
func asking(queue string, j scheduler.Job) waiting {
	a := j.Asks
	nodes := max(1, a.Nodes)
	return waiting{Queue: queue, Nodes: nodes, Cores: share(max(1, a.Cores, j.Cores), nodes), MemoryMB: share(a.MemoryMB, nodes),
		GPUs: share(a.GPUs, nodes), Whole: a.Whole, Spread: nodes == 1}
}

func share(n, among int) int { return (n + among - 1) / among }

// over is the job on as many nodes of a type as it takes.
func (w waiting) over(t hpc.InstanceType) waiting {
	if !w.Spread {
		return w
	}
	for n := 1; n <= w.Cores; n++ {
		each := w
		each.Nodes, each.Cores, each.GPUs = n, share(w.Cores, n), share(w.GPUs, n)
		each.MemoryMB = share(w.MemoryMB, w.Cores) * each.Cores
		if newBin(nil, t).holds(each) > 0 {
			return each
		}
	}
	return w
}

// bin is a node as jobs fill it.
type bin struct {
	node                *store.Node // nil for one that is to be made
	offer               *offer      // of one that is to be made
	cores, memory, gpus int         // that are free
	allCores, allMemory int
	taken               bool // a waiting job was given some of it
}

func newBin(n *store.Node, t hpc.InstanceType) *bin {
	return &bin{node: n, cores: t.Cores, memory: t.MemoryMB, gpus: t.GPUs, allCores: t.Cores, allMemory: t.MemoryMB}
}

// memoryOf is what the job takes: without a word of it, its cores' share.
func (b *bin) memoryOf(w waiting) int {
	if w.MemoryMB > 0 || b.allCores == 0 {
		return w.MemoryMB
	}
	return b.allMemory / b.allCores * w.Cores
}

// holds is how many jobs, or parts of them, fit.
func (b *bin) holds(w waiting) int {
	if w.Whole && (b.cores < b.allCores || b.memory < b.allMemory) {
		return 0
	}
	n := b.cores / w.Cores
	if m := b.memoryOf(w); m > 0 {
		n = min(n, b.memory/m)
	}
	if w.GPUs > 0 {
		n = min(n, b.gpus/w.GPUs)
	}
	if w.Whole {
		n = min(n, 1)
	}
	return max(n, 0)
}

func (b *bin) take(w waiting, n int) {
	if w.Whole && n > 0 {
		b.cores, b.memory, b.gpus, b.taken = 0, 0, 0, true
		return
	}
	b.cores, b.memory, b.gpus = b.cores-n*w.Cores, b.memory-n*b.memoryOf(w), b.gpus-n*w.GPUs
	b.taken = true
}

// packing puts waiting jobs on a queue's nodes, and on new ones where there is
// none.
type packing struct {
	bins    []*bin // those that are there come first, then new ones as they were opened
	offers  []offer
	caps    map[string]int // how many new ones of a type there may be; those that are not in it: any number
	room    int            // how many new ones there may be
	made    int            // how many there are
	short   int            // how many more would be needed, and there is no room for
	lacking int            // and none of their types is to be had
	beyond  int            // jobs that new nodes will never hold
	why     []string       // they will not, each reason once
}

// left is how many more of an offer can be had.
func (p *packing) left(o *offer) int {
	if o.Closed {
		return 0
	}
	if most, capped := p.caps[o.Name]; capped {
		return most
	}
	return math.MaxInt
}

func (p *packing) open(o *offer) *bin {
	b := newBin(nil, o.InstanceType)
	b.offer = o
	p.bins = append(p.bins, b)
	p.made++
	if _, capped := p.caps[o.Name]; capped {
		p.caps[o.Name]--
	}
	return b
}

// openAny opens the best that is to be had.
func (p *packing) openAny() bool {
	for i := range p.offers {
		if !p.offers[i].Spare && p.left(&p.offers[i]) > 0 {
			p.open(&p.offers[i])
			return true
		}
	}
	return false
}

// holding are the offers of which one holds a job, or a part of it: a spare one
// only where none before it does.
func (p *packing) holding(w waiting) (fresh []*offer) {
	for i := range p.offers {
		o := &p.offers[i]
		if newBin(nil, o.InstanceType).holds(w) == 0 || o.Spare && len(fresh) > 0 {
			continue
		}
		o.Sought = true
		fresh = append(fresh, o)
	}
	return fresh
}

// put places as many of the jobs as have room and returns how many have none,
// and whether that is for want of machines.
func (p *packing) put(c crowd) (left int, lacking bool) {
	w := c.waiting
	free := slices.DeleteFunc(slices.Clone(p.bins), func(b *bin) bool { return b.holds(w) == 0 })
	fresh := p.holding(w)
	if w.Nodes == 1 {
		return p.putSingle(w, c.Count, free, fresh)
	}
	for left = c.Count; left > 0; left-- {
		missing := max(0, w.Nodes-len(free))
		if missing > 0 && len(fresh) == 0 {
			return left, false
		}
		if missing > p.room-p.made {
			p.short += missing
			return left, false
		}
		if !p.have(fresh, missing) {
			p.lacking += missing
			return left, true
		}
		for _, o := range fresh {
			for ; missing > 0 && p.left(o) > 0; missing-- {
				free = append(free, p.open(o))
			}
		}
		next := w.Nodes // those before it are full
		for i := w.Nodes - 1; i >= 0; i-- {
			if free[i].take(w, 1); free[i].holds(w) > 0 {
				next--
				free[next] = free[i]
			}
		}
		free = free[next:]
	}
	return 0, false
}

// have tells whether so many more of the offers can be had together.
func (p *packing) have(offers []*offer, count int) bool {
	seen := map[string]bool{} // a type may be offered twice, at different prices
	for _, o := range offers {
		n := p.left(o)
		if n >= count && !seen[o.Name] {
			return true
		}
		if n > 0 && !seen[o.Name] {
			count -= n
			seen[o.Name] = true
		}
	}
	return count <= 0
}

func (p *packing) putSingle(w waiting, left int, free []*bin, fresh []*offer) (int, bool) {
	for _, b := range free {
		n := min(left, b.holds(w))
		if n > 0 {
			b.take(w, n)
			left -= n
		}
	}
	for _, o := range fresh {
		each := newBin(nil, o.InstanceType).holds(w)
		for left > 0 && p.made < p.room && p.left(o) > 0 {
			n := min(left, each)
			p.open(o).take(w, n)
			left -= n
		}
	}
	if left == 0 || len(fresh) == 0 {
		return left, false
	}
	each := newBin(nil, fresh[0].InstanceType).holds(w)
	more := (left + each - 1) / each
	if p.made >= p.room {
		p.short += more
		return left, false
	}
	p.lacking += more
	return left, true
}

// counts are how many of each offer are among the first so many new nodes, in
// the order in which they were opened.
func (p *packing) counts(most int) (counts []int, offers []*offer) {
	for _, b := range p.bins {
		if b.offer == nil || most == 0 {
			continue
		}
		most--
		if i := slices.Index(offers, b.offer); i >= 0 {
			counts[i]++
			continue
		}
		counts, offers = append(counts, 1), append(offers, b.offer)
	}
	return counts, offers
}
