// Package store keeps what the control plane knows: rows and their queries, a noun a
// file, one set for SQLite and PostgreSQL. Which steps are legal stands in package hpc,
// who takes them in action and reconcile. What has to hold between rows at every write
// the store sees to itself: the numbers of listings, the ledger that follows jobs and
// nodes, what goes with a cluster or a queue.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/uptrace/bun"
)

var (
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("no such row")
	// ErrConflict: the row was changed by somebody else meanwhile, or exists already.
	ErrConflict = errors.New("the row has changed meanwhile")
)

// Sealer encrypts what must be readable again but not in a copy of the store.
type Sealer interface {
	Seal(plain []byte, about string) (string, error)
	Open(sealed, about string) ([]byte, error)
}

// Store is the open store of one control plane. It holds the lock of its data
// directory until Close.
type Store struct {
	write  *bun.DB
	read   *bun.DB
	change func(context.Context, func(context.Context, bun.Tx) error) error // in a transaction of write
	lock   *os.File
	files  []openFile // that have to stay where they are
	sealer Sealer
	jobs   directory[jobEntry]
	nodes  directory[*Node]
	keys   keyQuery
	shared bool
}

// Shared tells whether other servers may have the store open too.
func (s *Store) Shared() bool { return s.shared }

// Close waits for running transactions and gives the data directory free.
func (s *Store) Close() error {
	s.jobs.close()
	s.nodes.close()
	var errs []error
	for _, db := range []*bun.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Tx gives the queries, inside a transaction or for reading alone.
type Tx struct {
	db     bun.IDB
	rows   *bun.DB // reads rows of a query one at a time
	sealer Sealer

	numbers map[listingKey]int64 // that the transaction has taken
}

// Read gives the queries for reading, each on its own snapshot.
func (s *Store) Read() Tx { return Tx{db: s.read, rows: s.read, sealer: s.sealer} }

// View runs fn, which only reads, on one snapshot.
func (s *Store) View(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error {
	o := &sql.TxOptions{ReadOnly: true}
	if s.shared {
		o.Isolation = sql.LevelRepeatableRead
	}
	return s.read.RunInTx(ctx, o, func(ctx context.Context, tx bun.Tx) error {
		return fn(ctx, Tx{db: tx, rows: s.read, sealer: s.sealer})
	})
}

// Change runs fn in one transaction: all of what it writes, or nothing. A
// transaction that decides on a row updates that row first (see LockCluster and
// LockOwner): then two of them wait for each other, on either engine.
// ErrConflict when another was first.
func (s *Store) Change(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error {
	err := s.change(ctx, func(ctx context.Context, tx bun.Tx) error {
		return fn(ctx, Tx{db: tx, rows: s.write, sealer: s.sealer, numbers: map[listingKey]int64{}})
	})
	if err != nil && lostRace(err) {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// notFound maps the driver's word for an empty result to ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// one checks that a conditional update met its row.
func one(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return ErrConflict
	}
	return err
}

// Page is one page of a listing; Number counts from 1.
type Page struct{ Number, Size int }

// scanPage reads a page into rows, which q is for, and counts them all; a page
// without a size has them all.
func scanPage[R any](ctx context.Context, q *bun.SelectQuery, p Page, rows *[]R) ([]R, int, error) {
	if p.Size == 0 {
		err := q.Scan(ctx)
		return *rows, len(*rows), err
	}
	n, err := q.Limit(int64(p.Size)).Offset(int64(p.Number-1) * int64(p.Size)).ScanAndCount(ctx)
	return *rows, int(n), err
}
