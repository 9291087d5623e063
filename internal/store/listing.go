package store

import (
	"context"
	"database/sql"
	"errors"
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
//
// A cluster's rows are read once, in steps, for all who wait for them and whoever
// gives up meanwhile (see reading.go).

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
