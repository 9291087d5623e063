package store

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/uptrace/bun"
)

// writer runs the changes of a store that takes one at a time. Those that wait
// for their turn go together in one transaction, each behind a savepoint of its
// own: they wait for the disk once. One of them leads, and calls the others.
type writer struct {
	db *bun.DB

	mu      sync.Mutex
	led     bool
	waiting []*part
}

// part is what one of them changes, in the goroutine of who wants it.
type part struct {
	ctx   context.Context
	fn    func(context.Context, bun.Tx) error
	turn  chan *bun.Tx  // takes the transaction; nil when the change is to lead the next
	gone  chan struct{} // closed when nobody waits for its turn any more
	ran   chan struct{} // closed when it has done what it does
	ended chan error    // takes how the transaction ended

	broken error // the transaction is of no use after it
}

// groupLimit bounds the changes that go together, and so how long each waits for
// the others.
const groupLimit = 128

var errBroken = errors.New("another change ended the transaction that they shared")

// run is RunInTx. In a transaction that is shared, fn is not cut off.
func (w *writer) run(ctx context.Context, fn func(context.Context, bun.Tx) error) error {
	c := &part{ctx: ctx, fn: fn, turn: make(chan *bun.Tx), gone: make(chan struct{}),
		ran: make(chan struct{}), ended: make(chan error, 1)}
	if w.leads(c) {
		return w.lead(c)
	}
	select {
	case tx := <-c.turn:
		if tx == nil {
			return w.lead(c)
		}
		return c.follow(*tx)
	case <-ctx.Done():
		close(c.gone)
		return ctx.Err()
	}
}

// leads tells whether the change is the first; otherwise it waits from now on.
func (w *writer) leads(c *part) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.led {
		w.led = true
		return true
	}
	w.waiting = append(w.waiting, c)
	return false
}

// lead runs a transaction with the change and those that wait.
func (w *writer) lead(c *part) error {
	defer w.handOver()
	others := w.take()
	if len(others) == 0 {
		return w.db.RunInTx(c.ctx, nil, c.fn)
	}
	return w.share(c, others)
}

func (w *writer) share(c *part, others []*part) error {
	called, err := 0, errBroken
	defer func() {
		for _, o := range others[:called] {
			o.ended <- err
		}
		w.putBack(others[called:])
	}()
	var own error
	err = w.db.RunInTx(context.WithoutCancel(c.ctx), nil, func(_ context.Context, tx bun.Tx) error {
		if own = c.apply(tx); c.broken != nil {
			return errBroken
		}
		for _, o := range others {
			called++
			select {
			case o.turn <- &tx:
				<-o.ran
			case <-o.gone:
			}
			if o.broken != nil {
				return errBroken
			}
		}
		return nil
	})
	if own != nil {
		return own
	}
	return err
}

// follow makes the change within another's transaction.
func (c *part) follow(tx bun.Tx) error {
	if err := func() error {
		defer close(c.ran)
		return c.apply(tx)
	}(); err != nil {
		return err
	}
	return <-c.ended
}

// apply leaves nothing in the transaction if it fails.
func (c *part) apply(tx bun.Tx) error {
	ctx := context.WithoutCancel(c.ctx)
	point, err := tx.BeginTx(ctx, nil)
	if err != nil {
		c.broken = err
		return err
	}
	undo := true
	defer func() {
		if undo {
			c.broken = point.Rollback()
		}
	}()
	if err := c.fn(ctx, point); err != nil {
		return err
	}
	if err := point.Commit(); err != nil {
		return err
	}
	undo = false
	return nil
}

// handOver makes one of those that wait lead.
func (w *writer) handOver() {
	for {
		next := w.next()
		if next == nil {
			return
		}
		select {
		case next.turn <- nil:
			return
		case <-next.gone:
		}
	}
}

// next takes the first that waits; nobody leads if there is none.
func (w *writer) next() *part {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		w.led = false
		return nil
	}
	c := w.waiting[0]
	w.waiting = w.waiting[1:]
	return c
}

// take takes those that go with the next transaction.
func (w *writer) take() []*part {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(groupLimit-1, len(w.waiting))
	some := w.waiting[:n:n]
	w.waiting = w.waiting[n:]
	return some
}

func (w *writer) putBack(some []*part) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = slices.Concat(some, w.waiting)
}
