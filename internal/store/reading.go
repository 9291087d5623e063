package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrReading: the rows of a cluster are still being read; who asks again later
// finds them.
var ErrReading = errors.New("the rows are still being read")

// reading is under way for a cluster's part of a directory.
type reading struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended
	err    error         // how; before that nobody's
}

// await waits until a cluster's part is there; ErrReading when its caller cannot
// wait that long.
func (d *directory[E]) await(ctx context.Context, tx Tx, k shape[E], clusterID string, s *sheet[E]) error {
	s.mu.RLock()
	made := s.made
	s.mu.RUnlock()
	if made {
		return nil
	}
	r := d.begin(ctx, tx, k, clusterID, s)
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrReading, ctx.Err())
	}
}

// begin begins to read a cluster's part, if nobody does. It goes on when its
// caller has gone.
func (d *directory[E]) begin(ctx context.Context, tx Tx, k shape[E], clusterID string, s *sheet[E]) *reading {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.reading != nil {
		return s.reading
	}
	r := &reading{done: make(chan struct{})}
	if d.closed {
		r.err = errors.New("the store is being closed")
		close(r.done)
		return r
	}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.reading = r
	d.readers.Go(func() {
		defer r.cancel()
		r.err = d.read(ctx, tx, k, clusterID, s)
		d.mu.Lock()
		defer d.mu.Unlock()
		s.reading = nil
		s.used = time.Now()
		d.sweep(s.used, s)
		close(r.done)
	})
	return r
}

// read reads what there is not yet of a cluster's part. What fails begins where
// it ended when it is tried again.
func (d *directory[E]) read(ctx context.Context, tx Tx, k shape[E], clusterID string, s *sheet[E]) error {
	for {
		made, err := d.readSome(ctx, tx, k, clusterID, s)
		if made || err != nil {
			return err
		}
	}
}

// readSome reads a step. What changes meanwhile has a number after the first
// step's, and is read again by whoever looks.
func (d *directory[E]) readSome(ctx context.Context, tx Tx, k shape[E], clusterID string, s *sheet[E]) (made bool, err error) {
	d.step.Lock()
	defer d.step.Unlock()
	s.mu.RLock()
	made, behind, is := s.made, "", s.edition
	if n := len(s.rows); n > 0 {
		behind = k.id(s.rows[n-1])
	}
	s.mu.RUnlock()
	if made {
		return true, nil
	}
	if behind == "" {
		if is, err = tx.edition(ctx, clusterID, k.kind); err != nil {
			return false, err
		}
	}
	rows, err := k.first(ctx, tx, clusterID, behind)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows, s.edition, s.made = append(s.rows, rows...), is, len(rows) < stepRows
	if s.made {
		slices.SortFunc(s.rows, k.compare)
	}
	return s.made, nil
}

// reads is how many clusters are being read.
func (d *directory[E]) reads() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.clusters {
		if s.reading != nil {
			n++
		}
	}
	return n
}

// close ends what is being read.
func (d *directory[E]) close() {
	d.mu.Lock()
	d.closed = true
	for _, s := range d.clusters {
		if s.reading != nil {
			s.reading.cancel()
		}
	}
	d.mu.Unlock()
	d.readers.Wait()
}

// Warm begins to read what listings of a cluster need, so that the first of them
// finds it.
func (s *Store) Warm(ctx context.Context, clusterID string) {
	now := time.Now()
	s.jobs.begin(ctx, s.Read(), jobShape, clusterID, s.jobs.sheet(clusterID, now))
	s.nodes.begin(ctx, s.Read(), nodeShape, clusterID, s.nodes.sheet(clusterID, now))
}

// Reading is of how many clusters the jobs or the nodes are being read, so that
// they cannot be listed yet.
func (s *Store) Reading() int { return max(s.jobs.reads(), s.nodes.reads()) }
