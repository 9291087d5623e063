package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

const (
	// looksPerPass bounds the nodes of a cluster that one pass looks at: larger
	// clusters are looked at in turns.
	looksPerPass = 1000
	// looksBeside bounds the questions to agents at a time.
	looksBeside = 32
	lookTimeout = 8 * time.Second
)

// look is what was found of a node the last time, and how often in a row.
type look struct {
	fault
	Times int
	At    time.Time
}

// after is the look that follows another.
func (l look) after(before look) look {
	l.Times = 1
	if before.Times > 0 && before.Cause == l.Cause {
		l.Times += before.Times
	}
	return l
}

// looks are remembered between passes, by cluster id. Forgotten, they are only
// taken anew.
type looks struct {
	mu   sync.Mutex
	last map[string]map[string]look // and by node id
	pass map[string]time.Time       // when it was begun
}

// due tells whether it is time to look at a cluster's nodes, and takes note that
// it is done.
func (l *looks) due(clusterID string, every time.Duration, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.pass[clusterID]) < every*9/10 { // timers are not exact
		return false
	}
	if l.pass == nil {
		l.pass, l.last = map[string]time.Time{}, map[string]map[string]look{}
	}
	l.pass[clusterID] = now
	return true
}

// of is a copy of what is remembered of a cluster's nodes.
func (l *looks) of(clusterID string) map[string]look {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.last[clusterID])
}

func (l *looks) keep(clusterID string, found map[string]look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last[clusterID] = found
}

func (l *looks) forget(n *store.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.last[n.ClusterID], n.ID)
}

// forgetAll is for clusters that this server looks after no more.
func (l *looks) forgetAll(but map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.pass, func(id string, _ time.Time) bool { return !but[id] })
	maps.DeleteFunc(l.last, func(id string, _ map[string]look) bool { return !but[id] })
}

// lookAt asks the agents of a cluster's nodes in service, those first that were
// not asked for longest.
func (ctl *Control) lookAt(ctx context.Context, clusterID string, nodes []*store.Node) {
	before := ctl.looks.of(clusterID)
	looks := map[string]look{}
	var some []*store.Node
	for _, n := range nodes {
		if n.Wanted && n.Status == hpc.NodeRunning && ctl.Links.Present(n.ID) {
			some = append(some, n)
			looks[n.ID] = before[n.ID]
		}
	}
	slices.SortStableFunc(some, func(a, b *store.Node) int { return before[a.ID].At.Compare(before[b.ID].At) })
	some = some[:min(len(some), looksPerPass)]
	found := make([]*fault, len(some))
	var wg sync.WaitGroup
	places := make(chan struct{}, looksBeside)
	for i, n := range some {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			found[i] = ctl.look(ctx, n)
		})
	}
	wg.Wait()
	var err error
	if ownClock(found) {
		found, err = nil, errOwnClock
	}
	if ctl.said.news("clock "+clusterID, err) {
		ctl.Log.Warn("no node is held for sick", "cluster", clusterID, "err", err)
	}
	now := time.Now()
	for i, f := range found {
		if f != nil {
			looks[some[i].ID] = look{fault: *f, At: now}.after(before[some[i].ID])
		}
	}
	ctl.looks.keep(clusterID, looks)
}

var errOwnClock = errors.New("the clocks of all nodes are off: it must be this server's own")

// ownClock tells whether it is rather this server's clock that is off: there are
// several nodes, and it differs from all of theirs.
func ownClock(found []*fault) bool {
	n := 0
	for _, f := range found {
		if f != nil {
			if n++; f.Cause != hpc.ClockOff {
				return false
			}
		}
	}
	return n > 1
}

// look asks one agent; nil when it does not answer, which others look after.
func (ctl *Control) look(ctx context.Context, n *store.Node) *fault {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	asked := time.Now()
	h, err := ctl.Links.Node(n.ID).Health(ctx)
	took := time.Since(asked)
	if err != nil {
		return nil
	}
	f := faultOf(h, h.Clock.Sub(asked.Add(took/2)), took/2, n.Health.Cause)
	return &f
}

// What a disk has left at least. Large ones are full later than by the hundredth
// part, small ones earlier than by their bytes.
const (
	diskLowest, diskHighest   = 50 << 20, 1 << 30
	filesLowest, filesHighest = 0, 1000
)

// clockLimit is how far a node's clock may be off.
const clockLimit = 5 * time.Second

// faultOf is what a look found: offset is how far the node's clock is ahead, as
// exactly as within. What a node is sick of already ends with some room: it is
// sound when twice as much is free, and its clock is right within 4 s.
func faultOf(h hpc.NodeHealth, offset, within time.Duration, had hpc.Ailment) fault {
	room := int64(1)
	if had == hpc.DiskFull {
		room = 2
	}
	for _, d := range h.Disks {
		switch {
		case d.Fault != "":
			return fault{hpc.DiskBroken, "its disk " + told(d.Path) + " " + told(d.Fault)}
		case d.Size > 0 && d.Free <= room*low(d.Size, diskLowest, diskHighest):
			return fault{hpc.DiskFull, fmt.Sprintf("its disk is full: %d MB of %d MB are free on %s", d.Free>>20, d.Size>>20, told(d.Path))}
		case d.Inodes > 0 && d.FreeInodes <= room*low(d.Inodes, filesLowest, filesHighest):
			return fault{hpc.DiskFull, fmt.Sprintf("its disk takes no more files: %d of %d are free on %s", d.FreeInodes, d.Inodes, told(d.Path))}
		}
	}
	for _, s := range h.Shares {
		if s.Fault != "" {
			return fault{hpc.ShareLost, "its share " + told(s.Path) + " " + told(s.Fault)}
		}
	}
	off := offset.Abs() - within
	if had == hpc.ClockOff {
		off = offset.Abs() + within + clockLimit/5
	}
	if !h.Clock.IsZero() && off > clockLimit {
		return fault{hpc.ClockOff, fmt.Sprintf("its clock is off by %.1f s", offset.Seconds())}
	}
	return fault{}
}

// low is a hundredth of all, but not more than highest, nor less than lowest
// where that is not most of it.
func low(all, lowest, highest int64) int64 {
	return min(max(all/100, min(lowest, all/20)), highest)
}

// told is a node's own word, as it may stand in a line: root on a node can say
// what it likes.
func told(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return fmt.Sprintf("%.80s", text)
}
