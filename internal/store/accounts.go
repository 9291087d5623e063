package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// Account is a row of accounts.
type Account struct {
	bun.BaseModel `bun:"table:accounts"`

	ClusterID    string `bun:",pk"`
	Name         string `bun:",pk"`
	UID          int
	UserGroup    string
	PasswordHash string
	Added        time.Time
	Deleted      time.Time `bun:",nullzero"` // the row stays, so that its uid is never reused
}

// HPC is the account as the nodes need it.
func (a *Account) HPC() hpc.Account {
	return hpc.Account{Name: a.Name, UID: a.UID, Group: a.UserGroup, PasswordHash: a.PasswordHash}
}

// AddAccount adds an account, or brings a deleted one back with its old uid.
// ErrConflict when the name is taken.
func (tx Tx) AddAccount(ctx context.Context, a *Account) error {
	var old Account
	err := tx.db.NewSelect().Model(&old).Where("cluster_id = ? AND name = ?", a.ClusterID, a.Name).Scan(ctx)
	switch {
	case err == nil && old.Deleted.IsZero():
		return ErrConflict
	case err == nil:
		a.UID = old.UID
		_, err = tx.db.NewUpdate().Model(a).WherePK().Exec(ctx)
		return err
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	if a.UID, err = tx.nextUID(ctx, a.ClusterID); err != nil {
		return err
	}
	_, err = tx.db.NewInsert().Model(a).Exec(ctx)
	return err
}

// nextUID is a uid that no account of the cluster ever had.
func (tx Tx) nextUID(ctx context.Context, clusterID string) (uid int, err error) {
	err = tx.db.NewSelect().Model((*Account)(nil)).ColumnExpr("COALESCE(MAX(uid) + 1, ?)", hpc.FirstUID).
		Where("cluster_id = ?", clusterID).Scan(ctx, &uid)
	return uid, err
}

// Account returns an account that is not deleted.
func (tx Tx) Account(ctx context.Context, clusterID, name string) (*Account, error) {
	a := new(Account)
	err := tx.db.NewSelect().Model(a).
		Where("cluster_id = ? AND name = ? AND deleted IS NULL", clusterID, name).Scan(ctx)
	return a, notFound(err)
}

// SaveAccount writes an account that was read in the same transaction;
// ErrConflict when it is deleted.
func (tx Tx) SaveAccount(ctx context.Context, a *Account) error {
	return one(tx.db.NewUpdate().Model(a).WherePK().Where("deleted IS NULL").Exec(ctx))
}

// DeletedUIDs returns the uids of a cluster's deleted accounts.
func (tx Tx) DeletedUIDs(ctx context.Context, clusterID string) (map[int]bool, error) {
	var rows []*Account
	err := tx.db.NewSelect().Model(&rows).Column("uid").Where("cluster_id = ? AND deleted IS NOT NULL", clusterID).Scan(ctx)
	uids := make(map[int]bool, len(rows))
	for _, a := range rows {
		uids[a.UID] = true
	}
	return uids, err
}

// UnwantJobsOf has all open jobs of an account cancelled, those submitted on a
// node included.
func (tx Tx) UnwantJobsOf(ctx context.Context, clusterID, owner string, now time.Time) error {
	_, err := tx.db.NewUpdate().Model((*Job)(nil)).
		Set("wanted = ?", false).Set("rev = rev + 1").Set("modified = ?", now).
		Where("cluster_id = ? AND owner = ? AND ended IS NULL AND wanted = ?", clusterID, owner, true).Exec(ctx)
	return err
}

// AccountNames maps every uid of a cluster to its name, deleted ones included.
func (tx Tx) AccountNames(ctx context.Context, clusterID string) (map[int]string, error) {
	var rows []*Account
	err := tx.db.NewSelect().Model(&rows).Column("uid", "name").Where("cluster_id = ?", clusterID).Scan(ctx)
	names := make(map[int]string, len(rows))
	for _, a := range rows {
		names[a.UID] = a.Name
	}
	return names, err
}

// Accounts returns a cluster's accounts in the order they were added, and how many there are.
func (tx Tx) Accounts(ctx context.Context, clusterID string, page Page) ([]*Account, int, error) {
	var rows []*Account
	q := tx.db.NewSelect().Model(&rows).
		Where("cluster_id = ? AND deleted IS NULL", clusterID).Order("added", "uid")
	return scanPage(ctx, q, page, &rows)
}
