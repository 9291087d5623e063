// Package reconcile makes the world match the rows. Every loop observes, plans
// with a pure function and applies small idempotent steps; it is woken by a
// signal that carries no data and by a timer that does the same full pass. Rows
// are the only work queue, so killing the process at any point is safe.
package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"ehpc/internal/store"
)

// Loop runs one pass after another.
type Loop struct {
	name  string
	every time.Duration
	pass  func(context.Context) error
	wake  chan struct{}
	log   *slog.Logger
}

// restRatio is how many times as long as its last pass took a loop rests.
const restRatio = 2

func newLoop(name string, every time.Duration, log *slog.Logger, pass func(context.Context) error) *Loop {
	return &Loop{name: name, every: every, pass: pass, wake: make(chan struct{}, 1), log: log}
}

// Wake makes the next pass start at once. It never blocks.
func (l *Loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run passes until ctx is done.
func (l *Loop) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for said := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.wake:
		}
		begun := time.Now()
		fault := ""
		if err := l.pass(ctx); err != nil && ctx.Err() == nil {
			fault = err.Error()
		}
		if fault != "" && fault != said { // a store that is away is away for many passes
			l.log.Error("pass failed", "loop", l.name, "err", fault)
		}
		said = fault
		// What wakes a loop comes in bursts, and one pass answers them all: long
		// passes leave room for what they wait for.
		if pause(ctx, min(restRatio*time.Since(begun), l.every)) != nil {
			return
		}
		timer.Reset(l.every)
	}
}

// inflight runs steps beside each other, but never two for the same object.
type inflight struct {
	mu    sync.Mutex
	busy  map[string]bool
	next  map[string]func() // of what follow was asked meanwhile
	paces map[string]pace   // of what follow was asked
	wg    sync.WaitGroup

	inTurn  bool // steps run only in wait, one after the other
	waiting []func()
}

// try starts run unless a step of that object is under way; done is called after it.
func (f *inflight) try(key string, run func(), done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy[key] {
		return
	}
	f.begin(key, func() {
		run()
		f.end(key)
		done()
	})
}

// follow starts run like try. Asked again meanwhile, it then runs the last that
// it was asked, so that nothing that was seen later is missed. What is asked for
// without end keeps its pace, and rests for no longer than longest.
func (f *inflight) follow(ctx context.Context, key string, longest time.Duration, run func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy[key] {
		f.next[key] = run
		return
	}
	f.begin(key, func() {
		for ; run != nil; run = f.end(key) {
			begun := time.Now()
			run()
			pause(ctx, min(f.note(key, begun, time.Now()), longest))
		}
	})
}

// note takes down how long what follows took, and returns the rest that is due.
func (f *inflight) note(key string, begun, ended time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, known := f.paces[key]
	if !known {
		maps.DeleteFunc(f.paces, func(_ string, p pace) bool { return p.until.Before(begun) })
	}
	rest := p.note(begun, ended, len(f.paces))
	if f.paces == nil {
		f.paces = map[string]pace{}
	}
	f.paces[key] = p
	return rest
}

// begin needs f.mu.
func (f *inflight) begin(key string, run func()) {
	if f.busy == nil {
		f.busy, f.next = map[string]bool{}, map[string]func(){}
	}
	f.busy[key] = true
	if f.inTurn {
		f.waiting = append(f.waiting, run)
		return
	}
	f.wg.Go(run)
}

// wait returns once all steps have ended.
func (f *inflight) wait() {
	for run := f.nextInTurn(); run != nil; run = f.nextInTurn() {
		run()
	}
	f.wg.Wait()
}

func (f *inflight) nextInTurn() (run func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.waiting) > 0 {
		run, f.waiting = f.waiting[0], f.waiting[1:]
	}
	return run
}

// end frees the object unless something is to follow.
func (f *inflight) end(key string) (next func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if next = f.next[key]; next == nil {
		delete(f.busy, key)
	}
	delete(f.next, key)
	return next
}

func (f *inflight) has(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.busy[key]
}

const maxRetry = 30 * time.Second

// backoff is how long to wait before another attempt, after so many failures.
func (l Limits) backoff(attempts int) time.Duration {
	return min(l.Retry<<min(attempts, 10), maxRetry)
}

// settled hides an error that only says that somebody else was first: the next
// pass looks again.
func settled(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}
