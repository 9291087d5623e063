package store

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// shape is how entries of a kind are read and kept.
type shape[E any] struct {
	kind    kind
	compare func(a, b E) int // the rows' order, by what no change touches; 0 for the same row
	// first reads the rows of a cluster behind an id, in the order of their ids and
	// at most stepRows of them; changed those that changed last after a number, up to
	// another.
	first   func(ctx context.Context, tx Tx, clusterID, behind string) ([]E, error)
	changed func(ctx context.Context, tx Tx, clusterID string, after, upTo int64) ([]E, error)
	id      func(E) string
	// Which rows are left when some were removed, or which were removed between two
	// numbers.
	left    func(ctx context.Context, tx Tx, clusterID string) ([]string, error)
	removed func(ctx context.Context, tx Tx, clusterID string, after, upTo int64) ([]string, error)
}

// directory is what is kept of a kind's rows. It is a copy: without it a listing
// takes longer and shows the same.
type directory[E any] struct {
	mu       sync.Mutex
	clusters map[string]*sheet[E]
	closed   bool
	readers  sync.WaitGroup
	step     sync.Mutex // of those that read: one at a time
}

// sheet is a cluster's part of a directory.
type sheet[E any] struct {
	used    time.Time // of the directory's lock, as reading is; the rest is of the own
	reading *reading

	mu   sync.RWMutex
	made bool
	edition
	rows []E // while it is not made, what was read so far, in the order of the ids
}

const (
	// maxEntries bounds the entries that directories keep for others than the
	// cluster at hand: some 150 bytes each of jobs, and 1 kB of nodes.
	maxEntries = 1_000_000
	// idleSheet is how long a cluster's part is kept for the next listing.
	idleSheet = 10 * time.Minute
	// stepRows and stepChanges bound what is read at once: what was read stays when
	// there is no time for more.
	stepRows    = 5000
	stepChanges = 2000
)

// view calls see with a cluster's entries, up to date and in order. see must
// not keep them.
func (d *directory[E]) view(ctx context.Context, tx Tx, k shape[E], clusterID string, see func([]E)) error {
	s := d.sheet(clusterID, time.Now())
	if err := d.await(ctx, tx, k, clusterID, s); err != nil {
		return err
	}
	is, err := tx.edition(ctx, clusterID, k.kind)
	if err != nil {
		return err
	}
	for {
		s.mu.RLock()
		if s.shows(is) {
			defer s.mu.RUnlock()
			see(s.rows)
			return nil
		}
		s.mu.RUnlock()
		if err := s.update(ctx, tx, k, clusterID, is); err != nil {
			return err
		}
	}
}

// shows tells whether the rows are at least as new as the edition.
func (s *sheet[E]) shows(is edition) bool { return s.seq >= is.seq && s.lost >= is.lost }

// update takes the rows a step nearer to the edition. What it reads is at least
// as new.
func (s *sheet[E]) update(ctx context.Context, tx Tx, k shape[E], clusterID string, is edition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shows(is) {
		return nil // another listing was first
	}
	upTo := min(s.seq+stepChanges, is.seq)
	last := upTo
	if upTo == is.seq {
		last = math.MaxInt64 // a row that was changed since has a later number
	}
	changed, err := k.changed(ctx, tx, clusterID, s.seq, last)
	if err != nil {
		return err
	}
	if k.removed != nil {
		removed, err := k.removed(ctx, tx, clusterID, s.seq, upTo)
		if err != nil {
			return err
		}
		s.rows = without(s.rows, k.id, removed)
	}
	if s.lost != is.lost {
		left, err := k.left(ctx, tx, clusterID)
		if err != nil {
			return err
		}
		s.rows = remaining(s.rows, k.id, left)
	}
	s.rows = merge(s.rows, changed, k.compare)
	s.seq, s.lost = upTo, is.lost
	return nil
}

// remaining are the entries of rows that are left.
func remaining[E any](rows []E, id func(E) string, left []string) []E {
	there := make(map[string]bool, len(left))
	for _, l := range left {
		there[l] = true
	}
	return slices.DeleteFunc(rows, func(e E) bool { return !there[id(e)] })
}

// without are the entries of rows that were not removed.
func without[E any](rows []E, id func(E) string, removed []string) []E {
	if len(removed) == 0 {
		return rows
	}
	gone := make(map[string]bool, len(removed))
	for _, r := range removed {
		gone[r] = true
	}
	return slices.DeleteFunc(rows, func(e E) bool { return gone[id(e)] })
}

// merge puts changed entries in the place of the old ones, and new ones in order.
func merge[E any](rows, changed []E, compare func(a, b E) int) []E {
	old := len(rows)
	for _, e := range changed {
		if i, found := slices.BinarySearchFunc(rows[:old], e, compare); found {
			rows[i] = e
		} else {
			rows = append(rows, e)
		}
	}
	slices.SortFunc(rows[old:], compare)
	if old > 0 && old < len(rows) && compare(rows[old-1], rows[old]) > 0 {
		slices.SortFunc(rows, compare)
	}
	return rows
}

// sheet is the cluster's part. Parts that nobody looked at for long, or that
// are too many, are thrown away.
func (d *directory[E]) sheet(clusterID string, now time.Time) *sheet[E] {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.clusters[clusterID]
	if s == nil {
		s = new(sheet[E])
		d.sweep(now, s)
		if d.clusters == nil {
			d.clusters = map[string]*sheet[E]{}
		}
		d.clusters[clusterID] = s
	}
	s.used = now
	return s
}

// sweep needs d.mu. What is being read stays, and the part at hand, which is not
// counted either: one that is larger than the bound would never be kept.
func (d *directory[E]) sweep(now time.Time, hand *sheet[E]) {
	total := 0
	for id, s := range d.clusters {
		if s == hand {
			continue
		}
		if s.reading == nil && now.Sub(s.used) > idleSheet {
			delete(d.clusters, id)
			continue
		}
		total += s.len()
	}
	for total > maxEntries {
		oldest := ""
		for id, s := range d.clusters {
			if s != hand && s.reading == nil && (oldest == "" || s.used.Before(d.clusters[oldest].used)) {
				oldest = id
			}
		}
		if oldest == "" {
			return
		}
		total -= d.clusters[oldest].len()
		delete(d.clusters, oldest)
	}
}

// len is 0 for a part that is being changed.
func (s *sheet[E]) len() int {
	if !s.mu.TryRLock() {
		return 0
	}
	defer s.mu.RUnlock()
	return len(s.rows)
}
