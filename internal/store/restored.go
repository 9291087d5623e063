package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// uidGap is how many accounts a cluster may have got between a backup and its
// restoration: their uids, which own files, are given to nobody else.
const uidGap = 1000

// Restored makes the SQLite store in a file, which came out of a backup, ready to
// be served.
func Restored(ctx context.Context, file string, now time.Time) (err error) {
	db, err := openSQLite(file, 1)
	if err != nil {
		return err
	}
	s := &Store{write: db, read: db, change: (&writer{db: db}).run}
	defer func() { err = errors.Join(err, db.Close()) }()
	var sound string
	if err := db.NewRaw("PRAGMA quick_check(1)").Scan(ctx, &sound); err != nil || sound != "ok" {
		return fmt.Errorf("the store in it is damaged: %s: %w", sound, err)
	}
	return s.Change(ctx, func(ctx context.Context, tx Tx) error {
		clusters, _, err := tx.Clusters(ctx, "", Page{})
		if err != nil {
			return err
		}
		for _, c := range clusters {
			if err := tx.skipUIDs(ctx, c.ID, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// skipUIDs leaves a gap in a cluster's uids: a deleted account with a name that
// nobody can ask for.
func (tx Tx) skipUIDs(ctx context.Context, clusterID string, now time.Time) error {
	last, err := tx.nextUID(ctx, clusterID)
	if err != nil {
		return err
	}
	uid := last + uidGap - 1
	_, err = tx.db.NewInsert().Model(&Account{ClusterID: clusterID, Name: fmt.Sprintf(".restored-%d", uid), UID: uid,
		UserGroup: "users", Added: now, Deleted: now}).Exec(ctx)
	return err
}
