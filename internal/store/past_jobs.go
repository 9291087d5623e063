package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// oldJob is a row of past_jobs: a job that ended long ago. It is listed no more,
// so that neither listings nor the loops get the slower, the more jobs there
// were; it is found by each of its ids, and is a row of jobs again once it is
// saved.
type oldJob struct {
	bun.BaseModel `bun:"table:past_jobs"`

	ID        string `bun:",pk"`
	ClusterID string
	PublicID  string
	SchedID   string
	Token     string
	Ended     time.Time
	Seq       int64
	Was       *Job `bun:",type:text"`
}

// MovePastJobs moves some of a cluster's jobs that ended before a time out of
// those that are listed, at most limit, the earliest first, and returns how many.
func (tx Tx) MovePastJobs(ctx context.Context, clusterID string, before time.Time, limit int) (int, error) {
	// Taken first: then nobody changes the jobs meanwhile.
	seq, err := tx.next(ctx, clusterID, jobKind, 0)
	if err != nil {
		return 0, err
	}
	var rows []*Job
	err = tx.db.NewSelect().Model(&rows).Where("cluster_id = ? AND ended IS NOT NULL AND ended < ?", clusterID, before).
		OrderBy("ended", bun.OrderAsc).Limit(int64(limit)).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	past, ids := make([]*oldJob, len(rows)), make([]string, len(rows))
	for i, j := range rows {
		past[i] = &oldJob{ID: j.ID, ClusterID: clusterID, PublicID: j.PublicID, SchedID: j.SchedID, Token: j.Token, Ended: j.Ended, Seq: seq, Was: j}
		ids[i] = j.ID
	}
	if _, err := tx.db.NewInsert().Model(&past).Exec(ctx); err != nil {
		return 0, err
	}
	_, err = tx.db.NewDelete().Model((*Job)(nil)).Where("id IN (?)", bun.List(ids)).Exec(ctx)
	return len(rows), err
}

// HasPastJobs tells whether MovePastJobs would move any.
func (tx Tx) HasPastJobs(ctx context.Context, clusterID string, before time.Time) (bool, error) {
	return tx.db.NewSelect().Model((*Job)(nil)).Where("cluster_id = ? AND ended IS NOT NULL AND ended < ?", clusterID, before).Exists(ctx)
}

// comeBack makes a job that ended long ago a row of jobs again, as it is to be
// saved; ErrConflict when it is one already.
func (tx Tx) comeBack(ctx context.Context, j *Job) (err error) {
	if j.Seq, err = tx.next(ctx, j.ClusterID, jobKind, 0); err != nil {
		return err
	}
	err = one(tx.db.NewDelete().Model((*oldJob)(nil)).Where("id = ? AND seq = ?", j.ID, j.past).Exec(ctx))
	if err != nil {
		return err
	}
	j.Rev++
	if _, err = tx.db.NewInsert().Model(j).Exec(ctx); err != nil {
		return err
	}
	j.past = 0
	return tx.countOpen(ctx, j.ClusterID, j.openTasks())
}

// pastJobs adds jobs that ended long ago to those that were found, for the ids in
// a column of which none was.
func (tx Tx) pastJobs(ctx context.Context, clusterID, column string, ids []string, found []*Job, id func(*Job) string) ([]*Job, error) {
	left := missing(ids, found, id)
	if len(left) == 0 {
		return found, nil
	}
	var rows []*oldJob
	err := tx.db.NewSelect().Model(&rows).Column("seq", "was").
		Where("cluster_id = ? AND ? IN (?)", clusterID, bun.Ident(column), bun.List(left)).Order("id").Scan(ctx)
	for _, row := range rows {
		row.Was.past = row.Seq
		found = append(found, row.Was)
	}
	return found, err
}

// missing are the ids that none of the rows has.
func missing(ids []string, rows []*Job, id func(*Job) string) (left []string) {
	found := make(map[string]bool, len(rows))
	for _, row := range rows {
		found[id(row)] = true
	}
	for _, id := range ids {
		if !found[id] {
			left = append(left, id)
		}
	}
	return left
}

// movedJobs are the ids of a cluster's jobs that were moved between two numbers.
func movedJobs(ctx context.Context, tx Tx, clusterID string, after, upTo int64) (ids []string, err error) {
	return ids, tx.db.NewSelect().Model((*oldJob)(nil)).Column("id").Where("cluster_id = ? AND seq > ? AND seq <= ?", clusterID, after, upTo).Scan(ctx, &ids)
}

// DeleteJobsOfGone deletes jobs of clusters that are gone, at most limit of those
// that are listed and of the others, and returns how many. What they used stays
// in the ledger.
func (tx Tx) DeleteJobsOfGone(ctx context.Context, limit int) (deleted int, err error) {
	for _, table := range []bun.Ident{"jobs", "past_jobs"} {
		var ids []string
		err := tx.db.NewRaw("SELECT id FROM ? WHERE cluster_id IN (SELECT id FROM clusters WHERE deleted IS NOT NULL) LIMIT ?", table, limit).Scan(ctx, &ids)
		if err != nil {
			return deleted, err
		}
		if len(ids) == 0 {
			continue
		}
		if _, err := tx.db.NewRaw("DELETE FROM ? WHERE id IN (?)", table, bun.List(ids)).Exec(ctx); err != nil {
			return deleted, err
		}
		deleted += len(ids)
	}
	return deleted, nil
}
