package reconcile

import (
	"context"
	"time"
)

// pace keeps what a cluster's loop does, woken again and again, to a tenth of the
// time: with many clusters at work, looking at them leaves room for the work.
// What was not used for a while may be used at once.
type pace struct {
	until time.Time // when as much time has passed as is due for all passes so far
}

const (
	paceShare  = 10          // one part of so many
	paceCredit = time.Second // is used in advance
)

// note takes down a pass and returns for how long to rest after it.
func (p *pace) note(begun, ended time.Time) time.Duration {
	if p.until.Before(begun) {
		p.until = begun
	}
	p.until = p.until.Add(paceShare * ended.Sub(begun))
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
