package reconcile

import (
	"context"
	"reflect"
	"sync"
	"time"
)

// RunInTurn is Run with one pass at a time, and after it the steps that it began,
// in their order: what happens at the same moment happens in one order, so that a
// simulation comes out the same every time. settle is called after each pass, and
// returns when nothing moves until time goes on.
func (ctl *Control) RunInTurn(ctx context.Context, settle func()) {
	ctl.steps.inTurn = true
	var wg sync.WaitGroup
	wg.Go(func() { ctl.Provider.Watch(ctx, ctl.nodes.Wake) })
	loops := ctl.loops()
	due := make([]time.Time, len(loops))
	for ctx.Err() == nil {
		rests := true
		for i, l := range loops {
			if !l.woken() && time.Now().Before(due[i]) {
				continue
			}
			l.run(ctx)
			ctl.steps.wait()
			due[i] = time.Now().Add(l.every)
			settle()
			rests = false
		}
		if rests {
			sleep(ctx, loops, due)
			settle()
		}
	}
	wg.Wait()
	ctl.steps.wait()
	ctl.endLeases(ctx)
}

// woken tells whether the loop was woken since its last pass.
func (l *Loop) woken() bool {
	select {
	case <-l.wake:
		return true
	default:
		return false
	}
}

// run makes one pass.
func (l *Loop) run(ctx context.Context) {
	if err := l.pass(ctx); err != nil && ctx.Err() == nil {
		l.log.Error("pass failed", "loop", l.name, "err", err)
	}
}

// sleep waits until a loop is due or woken.
func sleep(ctx context.Context, loops []*Loop, due []time.Time) {
	first := due[0]
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())}}
	for i, l := range loops {
		if due[i].Before(first) {
			first = due[i]
		}
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(l.wake)})
	}
	timer := time.NewTimer(time.Until(first))
	defer timer.Stop()
	cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(timer.C)})
	if chosen, _, _ := reflect.Select(cases); chosen > 0 && chosen <= len(loops) {
		loops[chosen-1].Wake() // its turn comes
	}
}
