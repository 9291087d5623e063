package reconcile

import (
	"sync"
	"time"

	"ehpc/internal/store"
)

// leases are the clusters whose loops this server runs: all of them on a store
// that is this server's alone.
type leases struct {
	asking sync.Mutex // held while the store is asked for leases

	mu      sync.Mutex
	held    map[string]hold
	refused map[string]time.Time // when the store was last asked for a lease in vain
}

// hold is a lease, as long as this server may count on it.
type hold struct {
	fence int64
	until time.Time
}

func (l *leases) get(clusterID string, now time.Time) (fence int64, held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, held := l.held[clusterID]
	return h.fence, held && now.Before(h.until)
}

func (l *leases) put(clusterID string, h hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]hold{}
	}
	l.held[clusterID] = h
	delete(l.refused, clusterID)
}

// lose forgets a lease, unless it was taken anew meanwhile.
func (l *leases) lose(clusterID string, fence int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[clusterID].fence == fence {
		delete(l.held, clusterID)
	}
}

// renew prolongs what the store has under the same fence and returns what it has
// not. It needs l.asking.
func (l *leases) renew(rows []*store.Lease, until time.Time) (lost []string) {
	fences := make(map[string]int64, len(rows))
	for _, row := range rows {
		fences[row.ClusterID] = row.Fence
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, h := range l.held {
		if fences[id] == h.fence {
			l.held[id] = hold{h.fence, until}
			continue
		}
		delete(l.held, id)
		lost = append(lost, id)
	}
	return lost
}

func (l *leases) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.held)
}

// mayAsk tells whether it is time to ask for a lease again that was another's.
func (l *leases) mayAsk(clusterID string, now time.Time, every time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.refused[clusterID]) < every {
		return false
	}
	if l.refused == nil {
		l.refused = map[string]time.Time{}
	}
	l.refused[clusterID] = now
	return true
}
