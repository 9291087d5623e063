package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// Job is a row of jobs.
type Job struct {
	bun.BaseModel `bun:"table:jobs"`

	ID          string `bun:",pk"` // ours, time-ordered
	ClusterID   string
	Rev         int64
	PublicID    string // what SubmitJob answered, for ever; "" until then
	SchedID     string // the scheduler's present id
	Token       string // ours, secret; "" for jobs submitted on a node
	Owner       string // account
	Name        string
	Queue       string
	State       hpc.JobState
	Reason      string
	Hindrance   string      // why no node is added for it
	Wanted      bool        // false: cancel it
	Released    bool        // may start
	Spec        hpc.JobSpec `bun:",type:text"`
	CommandLine string
	Priority    int
	NodeList    []string `bun:",type:text"`
	Nodes       int
	Cores       int
	Restarts    int
	Attempt     int          // how often it was submitted before, to a scheduler that lost it
	Sight       time.Time    `bun:",nullzero"` // since when the scheduler has it for sure: when it was asked to take it, or showed a change
	Missing     time.Time    `bun:",nullzero"` // since when the scheduler does not show it, though it should
	Ends        int          // of an array: how many tasks have ended
	Worst       hpc.JobState // of an array: how the first task ended that did not complete
	Tasks       int          // of an array: how many it has; 1 for all else
	ExitCode    int
	Stdout      string
	Stderr      string
	Submitted   time.Time
	Started     time.Time `bun:",nullzero"`
	Ended       time.Time `bun:",nullzero"`
	Modified    time.Time
	Deleted     time.Time `bun:",nullzero"` // listed no more; the row stays, so that the scheduler's job is known as ours
	Seq         int64     // of its last change, in the cluster's listing

	past int64 // when it was moved to past_jobs, in the cluster's listing; 0 if it was not
}

// InsertJob adds a job, or several of one cluster.
func (tx Tx) InsertJob(ctx context.Context, jobs ...*Job) error {
	seq, err := tx.next(ctx, jobs[0].ClusterID, jobKind, 0)
	if err != nil {
		return err
	}
	open := 0
	for _, j := range jobs {
		j.Seq, j.Tasks = seq, max(j.Tasks, 1)
		open += j.openTasks()
	}
	if _, err = tx.db.NewInsert().Model(&jobs).Exec(ctx); err != nil {
		return err
	}
	return tx.countOpen(ctx, jobs[0].ClusterID, open)
}

// Job returns a job by our id.
func (tx Tx) Job(ctx context.Context, id string) (*Job, error) {
	j := new(Job)
	err := tx.db.NewSelect().Model(j).Where("id = ?", id).Scan(ctx)
	return j, notFound(err)
}

// SaveJob writes a job that was read at its present revision; ErrConflict when
// it was changed meanwhile. One that ended long ago is listed again.
func (tx Tx) SaveJob(ctx context.Context, j *Job) (err error) {
	if j.past > 0 {
		return tx.comeBack(ctx, j)
	}
	if j.Seq, err = tx.next(ctx, j.ClusterID, jobKind, 0); err != nil {
		return err
	}
	if err := tx.recountOpen(ctx, j); err != nil {
		return err
	}
	rev := j.Rev
	j.Rev++
	err = one(tx.db.NewUpdate().Model(j).WherePK().Where("rev = ?", rev).Exec(ctx))
	if err != nil {
		j.Rev = rev
	}
	return err
}

// UnreleasedJobs returns the jobs of all clusters that the scheduler holds and
// that may start.
func (tx Tx) UnreleasedJobs(ctx context.Context) ([]*Job, error) {
	var rows []*Job
	err := tx.db.NewSelect().Model(&rows).Column("id", "cluster_id", "sched_id", "token", "owner", "queue", "priority", "submitted").
		Where("released = FALSE AND ended IS NULL AND wanted = TRUE AND sched_id <> ''").Order("id").Scan(ctx)
	return rows, err
}

// SubmittedBy is when the job was there for sure: of one that was submitted on a
// node, engines tell whole seconds.
func (j *Job) SubmittedBy() time.Time {
	if j.Token == "" {
		return j.Submitted.Add(time.Second)
	}
	return j.Submitted
}

// NoteReleased notes that jobs may start; one that was submitted again meanwhile
// is another of the scheduler's.
func (tx Tx) NoteReleased(ctx context.Context, jobs []*Job, now time.Time) error {
	for _, j := range jobs {
		_, err := tx.db.NewUpdate().Model((*Job)(nil)).
			Set("rev = rev + 1").Set("released = TRUE").Set("reason = ''").Set("modified = ?", now).
			Where("id = ? AND sched_id = ? AND ended IS NULL", j.ID, j.SchedID).Exec(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

// OpenJobs returns a cluster's jobs that have not ended, oldest first.
func (tx Tx) OpenJobs(ctx context.Context, clusterID string) ([]*Job, error) {
	var rows []*Job
	err := tx.db.NewSelect().Model(&rows).
		Where("cluster_id = ? AND ended IS NULL", clusterID).Order("id").Scan(ctx)
	return rows, err
}

// OpenJobsOfQueue returns how many of a cluster's jobs in a queue have not ended.
func (tx Tx) OpenJobsOfQueue(ctx context.Context, clusterID, queue string) (int, error) {
	n, err := tx.db.NewSelect().Model((*Job)(nil)).
		Where("cluster_id = ? AND ended IS NULL AND queue = ?", clusterID, queue).Count(ctx)
	return int(n), err
}

// JobsOfSched returns a cluster's jobs that carry one of the scheduler's ids,
// also those that ended long ago.
func (tx Tx) JobsOfSched(ctx context.Context, clusterID string, ids []string) ([]*Job, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []*Job
	err := tx.db.NewSelect().Model(&rows).
		Where("cluster_id = ? AND sched_id IN (?)", clusterID, bun.List(ids)).Order("id").Scan(ctx)
	if err != nil {
		return nil, err
	}
	return tx.pastJobs(ctx, clusterID, "sched_id", ids, rows, func(j *Job) string { return j.SchedID })
}

// ResubmittedTokens returns the tokens of a cluster's jobs that were submitted
// more than once and have an id of the scheduler's.
func (tx Tx) ResubmittedTokens(ctx context.Context, clusterID string) (map[string]bool, error) {
	var rows []*Job
	err := tx.db.NewSelect().Model(&rows).Column("token").
		Where("cluster_id = ? AND attempt > 0 AND sched_id <> ''", clusterID).Scan(ctx)
	tokens := map[string]bool{}
	for _, row := range rows {
		tokens[row.Token] = true
	}
	return tokens, err
}

// TokensWithoutJob returns those of the tokens that no job of the cluster has. A
// job's row is there before the scheduler hears of its token.
func (tx Tx) TokensWithoutJob(ctx context.Context, clusterID string, tokens []string) (map[string]bool, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	var known []string
	err := tx.db.NewSelect().Model((*Job)(nil)).Column("token").
		Where("cluster_id = ? AND token IN (?)", clusterID, bun.List(tokens)).Scan(ctx, &known)
	without := make(map[string]bool, len(tokens))
	for _, token := range tokens {
		without[token] = true
	}
	for _, token := range known {
		delete(without, token)
	}
	if err != nil || len(without) == 0 {
		return without, err
	}
	past, err := tx.pastJobs(ctx, clusterID, "token", slices.Collect(maps.Keys(without)), nil, nil)
	for _, j := range past {
		delete(without, j.Token)
	}
	return without, err
}

// JobsOfPublic returns a cluster's jobs that SubmitJob answered these ids for,
// without the deleted, and with those that ended long ago.
func (tx Tx) JobsOfPublic(ctx context.Context, clusterID string, ids []string) ([]*Job, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []*Job
	err := tx.db.NewSelect().Model(&rows).
		Where("cluster_id = ? AND deleted IS NULL AND public_id IN (?)", clusterID, bun.List(ids)).Order("id").Scan(ctx)
	if err != nil {
		return nil, err
	}
	rows, err = tx.pastJobs(ctx, clusterID, "public_id", ids, rows, func(j *Job) string { return j.PublicID })
	return slices.DeleteFunc(rows, func(j *Job) bool { return !j.Deleted.IsZero() }), err
}
