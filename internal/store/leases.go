package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// ErrFenced: the cluster's lease is another's by now. It is an ErrConflict.
var ErrFenced = fmt.Errorf("%w: the cluster's lease is another server's", ErrConflict)

// Lease is a row of leases: which server runs a cluster's loops. The fence
// grows whenever the lease is taken, so that whoever held it before can be told
// from whoever holds it now.
type Lease struct {
	bun.BaseModel `bun:"table:leases"`

	ClusterID string `bun:",pk"`
	Server    string
	Endpoint  string // where clients reach the server; "" if it was not told
	Fence     int64
	Rev       int64
	Expires   time.Time
}

// TakeLease makes a cluster's lease a server's until it expires, if nobody's is
// running: ErrConflict otherwise. It returns the whole row. A server takes over its
// own lease at once: the process that had it is dead.
func (tx Tx) TakeLease(ctx context.Context, l *Lease, now time.Time) (*Lease, error) {
	l.Fence, l.Rev = 1, 1
	res, err := tx.db.NewInsert().Model(l).On("CONFLICT (cluster_id) DO NOTHING").Exec(ctx)
	if err := one(res, err); !errors.Is(err, ErrConflict) {
		return l, err
	}
	err = one(tx.db.NewUpdate().Model((*Lease)(nil)).
		Set("server = ?", l.Server).Set("endpoint = ?", l.Endpoint).Set("expires = ?", l.Expires).
		Set("fence = fence + 1").Set("rev = rev + 1").
		Where("cluster_id = ? AND (server = ? OR expires <= ?)", l.ClusterID, l.Server, now).Exec(ctx))
	if err != nil {
		return nil, err
	}
	return l, notFound(tx.db.NewSelect().Model(l).WherePK().Scan(ctx))
}

// Lease is the cluster's lease, which may have ended.
func (tx Tx) Lease(ctx context.Context, clusterID string) (*Lease, error) {
	l := new(Lease)
	err := tx.db.NewSelect().Model(l).Where("cluster_id = ?", clusterID).Scan(ctx)
	return l, notFound(err)
}

// RenewLeases prolongs what a server holds and returns it. Leases of clusters
// that are gone end.
func (tx Tx) RenewLeases(ctx context.Context, server string, until time.Time) ([]*Lease, error) {
	_, err := tx.db.NewDelete().Model((*Lease)(nil)).
		Where("server = ? AND EXISTS (SELECT 1 FROM clusters WHERE id = cluster_id AND deleted IS NOT NULL)", server).Exec(ctx)
	if err != nil {
		return nil, err
	}
	_, err = tx.db.NewUpdate().Model((*Lease)(nil)).
		Set("rev = rev + 1").Set("expires = ?", until).Where("server = ?", server).Exec(ctx)
	if err != nil {
		return nil, err
	}
	var rows []*Lease
	return rows, tx.db.NewSelect().Model(&rows).Where("server = ?", server).Scan(ctx)
}

// EndLeases gives a server's leases free.
func (tx Tx) EndLeases(ctx context.Context, server string, now time.Time) error {
	_, err := tx.db.NewUpdate().Model((*Lease)(nil)).
		Set("rev = rev + 1").Set("expires = ?", now).Where("server = ?", server).Exec(ctx)
	return err
}

// Fence begins a transaction of a cluster's loops: it updates the lease's row,
// so that nobody can take the lease before the transaction has ended. ErrFenced
// when the lease has been taken.
func (tx Tx) Fence(ctx context.Context, clusterID string, fence int64) error {
	err := one(tx.db.NewUpdate().Model((*Lease)(nil)).
		Set("rev = rev + 1").Where("cluster_id = ? AND fence = ?", clusterID, fence).Exec(ctx))
	if errors.Is(err, ErrConflict) {
		return ErrFenced
	}
	return err
}
