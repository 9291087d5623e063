package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// How many jobs of a cluster have not ended is a number in its listing's row,
// which whoever writes jobs changes anyhow: counting them would take the longer,
// the more there are.

// openTasks is how many jobs a row counts as, of those that have not ended.
func (j *Job) openTasks() int {
	if j.Ended.IsZero() {
		return j.Tasks
	}
	return 0
}

// OpenTasks returns how many jobs of a cluster have not ended, each task of an
// array counted.
func (tx Tx) OpenTasks(ctx context.Context, clusterID string) (n int, err error) {
	err = tx.db.NewRaw("SELECT open FROM listings WHERE cluster_id = ? AND kind = ?", clusterID, string(jobKind)).Scan(ctx, &n)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil // it never had a job
	}
	return n, err
}

// countOpen adds to the number of jobs that have not ended.
func (tx Tx) countOpen(ctx context.Context, clusterID string, more int) error {
	if more == 0 {
		return nil
	}
	_, err := tx.db.NewRaw("UPDATE listings SET open = open + ? WHERE cluster_id = ? AND kind = ?", more, clusterID, string(jobKind)).Exec(ctx)
	return err
}

// recountOpen is for a row that is to be written: what it counts as instead of
// what it counted as. Who writes jobs has the listing's row locked, so that the
// job is not changed meanwhile; one that was changed before is not written, and
// counts as it did.
func (tx Tx) recountOpen(ctx context.Context, j *Job) error {
	var was struct {
		Tasks int
		Ended bun.NullTime
	}
	err := tx.db.NewSelect().Model((*Job)(nil)).Column("tasks", "ended").Where("id = ? AND rev = ?", j.ID, j.Rev).Scan(ctx, &was.Tasks, &was.Ended)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	before := &Job{Tasks: was.Tasks, Ended: time.Time(was.Ended.Time)}
	return tx.countOpen(ctx, j.ClusterID, j.openTasks()-before.openTasks())
}
