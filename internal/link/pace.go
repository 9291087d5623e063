package link

import (
	"context"
	"sync"
	"time"
)

// paceInterval is how often a node's agent may connect or report a change: each
// makes the server look at all clusters. Honest agents do either once a second
// at most.
const paceInterval = 100 * time.Millisecond

// pace lets one caller after the other through, an interval apart.
type pace struct {
	mu   sync.Mutex
	next time.Time
}

// wait returns when it is the caller's turn, or ctx is done.
func (p *pace) wait(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	turn := time.NewTimer(time.Until(p.next))
	defer turn.Stop()
	select {
	case <-turn.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.next = time.Now().Add(paceInterval)
	return nil
}
