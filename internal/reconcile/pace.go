package reconcile

import (
	"context"
	"time"
)

// pace keeps what a cluster's loop does, woken again and again, to a share of the
// time: with many clusters at work, down to a tenth, looking at them leaves room
// for the work. What was not used for a while may be used at once.
type pace struct {
	until time.Time // when as much time has passed as is due for all passes so far
}

const (
	paceLeast  = 10          // the least share is one part of so many
	paceOthers = 16          // of what keeps its pace take one part more, which is what two clusters do
	paceCredit = time.Second // is used in advance
)

// note takes down a pass among so many others, and returns for how long to rest
// after it.
func (p *pace) note(begun, ended time.Time, others int) time.Duration {
	if p.until.Before(begun) {
		p.until = begun
	}
	parts := min(paceLeast, 1+others/paceOthers)
	p.until = p.until.Add(time.Duration(parts) * ended.Sub(begun))
	return p.until.Sub(ended) - paceCredit
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
