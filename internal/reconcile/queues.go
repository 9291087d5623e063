package reconcile

import (
	"context"
	"sync"

	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// queues remembers each cluster's queue as it was observed last, so that one
// which has not changed does not cross the link again. Forgotten, it is only
// asked for once more.
type queues struct {
	mu   sync.Mutex
	last map[string]scheduler.Observation // by cluster id
}

func (q *queues) observe(ctx context.Context, sched scheduler.Scheduler, c *store.Cluster) (scheduler.Observation, error) {
	q.mu.Lock()
	last := q.last[c.ID]
	q.mu.Unlock()
	seen, err := sched.Changes(ctx, c.Cursor, last.Sum)
	if err != nil {
		return seen, err
	}
	if seen.Same {
		seen.Queue = last.Queue
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last == nil {
		q.last = map[string]scheduler.Observation{}
	}
	q.last[c.ID] = scheduler.Observation{Queue: seen.Queue, Sum: seen.Sum}
	return seen, nil
}
