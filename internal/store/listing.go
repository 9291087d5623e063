package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"
)

// Listings are shown a page at a time, filtered and sorted in many ways, with
// the number of all rows that match. No index serves them all, and reading every
// row of a large cluster for each page takes the better part of a second. So
// what listings filter and sort by is kept in memory, cluster by cluster, and
// brought up to date before it is used: every change of a row raises the
// number in table listings and puts it into the row, in the same transaction, so
// that the rows changed since are found by an index. The table's row is locked
// until the transaction ends: numbers appear in their order, on every server. Of
// nodes whole rows are kept, which the loops look at again and again.

// kind is what a listing lists.
type kind string

const (
	jobKind  kind = "jobs"
	nodeKind kind = "nodes"
)

// next is the number of a change to a cluster's rows; lost of them are removed.
func (tx Tx) next(ctx context.Context, clusterID string, k kind, lost int) (seq int64, err error) {
	of := listingKey{clusterID, k}
	if seq, taken := tx.numbers[of]; taken && lost == 0 {
		return seq, nil // all that a transaction changes is seen at once
	}
	err = tx.db.NewRaw(`INSERT INTO listings (cluster_id, kind, seq, lost) VALUES (?, ?, 1, ?)
		ON CONFLICT (cluster_id, kind) DO UPDATE SET seq = listings.seq + 1, lost = listings.lost + ?
		RETURNING seq`, clusterID, string(k), lost, lost).Scan(ctx, &seq)
	if err == nil {
		tx.numbers[of] = seq
	}
	return seq, err
}

type listingKey struct {
	clusterID string
	kind      kind
}

// edition says what a listing shows.
type edition struct{ seq, lost int64 }

func (tx Tx) edition(ctx context.Context, clusterID string, k kind) (e edition, err error) {
	err = tx.db.NewRaw("SELECT seq, lost FROM listings WHERE cluster_id = ? AND kind = ?", clusterID, string(k)).Scan(ctx, &e.seq, &e.lost)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil // nothing was changed since the table is there
	}
	return e, err
}

// shape is how entries of a kind are read and kept.
type shape[E any] struct {
	kind    kind
	compare func(a, b E) int // the rows' order, by what no change touches; 0 for the same row
	load    func(ctx context.Context, tx Tx, clusterID string, after int64) ([]E, error)
	// id and ids tell which rows are left when some were removed; without them
	// all are read again.
	id  func(E) string
	ids func(ctx context.Context, tx Tx, clusterID string) ([]string, error)
}

// directory is what is kept of a kind's rows. It is a copy: without it a listing
// takes longer and shows the same.
type directory[E any] struct {
	mu       sync.Mutex
	clusters map[string]*sheet[E]
}

// sheet is a cluster's part of a directory.
type sheet[E any] struct {
	used time.Time // of the directory's lock; the rest is of the own

	mu   sync.RWMutex
	made bool
	edition
	rows []E
}

const (
	// maxEntries bounds the entries that directories keep for others than the
	// cluster at hand: some 150 bytes each of jobs, and 1 kB of nodes.
	maxEntries = 500_000
	// idleSheet is how long a cluster's part is kept for the next listing.
	idleSheet = 10 * time.Minute
)

// view calls see with a cluster's entries, up to date and in order. see must
// not keep them.
func (d *directory[E]) view(ctx context.Context, tx Tx, k shape[E], clusterID string, see func([]E)) error {
	s := d.sheet(clusterID, time.Now())
	is, err := tx.edition(ctx, clusterID, k.kind)
	if err != nil {
		return err
	}
	s.mu.RLock()
	if s.made && s.seq >= is.seq && s.lost >= is.lost {
		defer s.mu.RUnlock()
		see(s.rows)
		return nil
	}
	s.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.update(ctx, tx, k, clusterID, is); err != nil {
		return err
	}
	see(s.rows)
	return nil
}

// update needs s.mu. What it reads is at least as new as the edition.
func (s *sheet[E]) update(ctx context.Context, tx Tx, k shape[E], clusterID string, is edition) error {
	if s.made && s.seq >= is.seq && s.lost >= is.lost {
		return nil // another listing was first
	}
	after, lost := s.seq, s.made && s.lost != is.lost
	if !s.made || lost && k.ids == nil {
		after = -1
	}
	changed, err := k.load(ctx, tx, clusterID, after)
	if err != nil {
		return err
	}
	if after < 0 {
		s.rows = nil
	} else if lost {
		left, err := k.ids(ctx, tx, clusterID)
		if err != nil {
			return err
		}
		s.rows = remaining(s.rows, k.id, left)
	}
	s.rows, s.edition, s.made = merge(s.rows, changed, k.compare), is, true
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
		d.sweep(now)
		s = new(sheet[E])
		if d.clusters == nil {
			d.clusters = map[string]*sheet[E]{}
		}
		d.clusters[clusterID] = s
	}
	s.used = now
	return s
}

// sweep needs d.mu.
func (d *directory[E]) sweep(now time.Time) {
	total := 0
	for id, s := range d.clusters {
		if now.Sub(s.used) > idleSheet {
			delete(d.clusters, id)
			continue
		}
		total += s.len()
	}
	for total > maxEntries {
		oldest := ""
		for id, s := range d.clusters {
			if oldest == "" || s.used.Before(d.clusters[oldest].used) {
				oldest = id
			}
		}
		total -= d.clusters[oldest].len()
		delete(d.clusters, oldest)
	}
}

// len is 0 for a part that is being made.
func (s *sheet[E]) len() int {
	if !s.mu.TryRLock() {
		return 0
	}
	defer s.mu.RUnlock()
	return len(s.rows)
}
