package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// RunFilter says which runs a listing shows; "" is every.
type RunFilter struct{ Account, Queue, PublicID string }

func (f RunFilter) shows(r *Run) bool {
	return (f.Account == "" || f.Account == r.Account) && (f.Queue == "" || f.Queue == r.Queue) && (f.PublicID == "" || f.PublicID == r.PublicID)
}

func (f RunFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
	for column, value := range map[string]string{"account": f.Account, "queue": f.Queue, "public_id": f.PublicID} {
		if value != "" {
			q = q.Where("? = ?", bun.Ident(column), value)
		}
	}
	return q
}

// RunUse is a run and what it used in a period.
type RunUse struct {
	*Run
	Used Usage
}

// RunsIn returns a page of the runs of a cluster that used it from one time to
// another, in the order they started, and how many there are. Those that go on
// count up to the end of the period.
func (tx Tx) RunsIn(ctx context.Context, clusterID string, from, to time.Time, f RunFilter, page Page) ([]RunUse, int, error) {
	before, err := tx.runningAt(ctx, clusterID, from, f)
	if err != nil {
		return nil, 0, err
	}
	since := func() *bun.SelectQuery {
		return f.apply(tx.db.NewSelect().Model((*Run)(nil)).Where("cluster_id = ? AND started >= ? AND started < ?", clusterID, from, to))
	}
	count, err := since().Count(ctx)
	if err != nil {
		return nil, 0, err
	}
	total := len(before) + int(count)
	first, last := page.bounds(total)
	runs := before[min(first, len(before)):min(last, len(before))]
	if more := last - max(first, len(before)); more > 0 {
		rows, err := tx.runsAt(ctx, since(), max(first-len(before), 0), more, int(count))
		if err != nil {
			return nil, 0, err
		}
		runs = append(runs, rows...)
	}
	spans, err := tx.spansFor(ctx, clusterID, runs)
	if err != nil {
		return nil, 0, err
	}
	uses := make([]RunUse, len(runs))
	for i, r := range runs {
		uses[i].Run = r
		runUsage(r, spans, from, to, func(u Usage) { uses[i].Used.add(u, 1) })
	}
	return uses, total, nil
}

// runsAt returns some of the runs that a query is for, in the order they started.
// What is skipped is read, too: by an index that has all it takes, and from
// whichever end is nearer.
func (tx Tx) runsAt(ctx context.Context, q *bun.SelectQuery, first, limit, count int) (rows []*Run, err error) {
	order := []string{"started", "job_id", "task"}
	q = q.Column(order...).Limit(int64(limit))
	if skip := count - first - limit; skip < first {
		q = q.Order("started DESC", "job_id DESC", "task DESC").Offset(int64(skip))
	} else {
		q = q.Order(order...).Offset(int64(first))
	}
	err = tx.db.NewSelect().Model(&rows).Where("(started, job_id, task) IN (?)", q).Order(order...).Scan(ctx)
	return rows, err
}

// runningAt are the runs that were under way at a moment, in the order they started.
func (tx Tx) runningAt(ctx context.Context, clusterID string, at time.Time, f RunFilter) ([]*Run, error) {
	query, args := union("runs", "*", clusterID, "started", at, at)
	var rows []*Run
	if err := tx.db.NewRaw(query, args...).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	open, err := tx.OpenRuns(ctx, clusterID)
	if err != nil {
		return nil, err
	}
	open = slices.DeleteFunc(open, func(r *Run) bool { return !r.Started.Before(at) })
	rows = slices.DeleteFunc(append(rows, open...), func(r *Run) bool { return !f.shows(r) })
	slices.SortFunc(rows, func(a, b *Run) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.JobID, b.JobID), cmp.Compare(a.Task, b.Task))
	})
	return rows, nil
}

// Idle is what no job used of the nodes of a queue; negative where jobs had more
// cores than there were, by their schedulers' times.
func Idle(all []Usage) map[string]Usage {
	idle := map[string]Usage{}
	for _, u := range all {
		rest := idle[u.Queue]
		times := -1
		if u.Account == "" {
			times = 1
		}
		rest.Queue = u.Queue
		rest.add(Usage{CoreTime: u.CoreTime, Cost: u.Cost}, times)
		idle[u.Queue] = rest
	}
	return idle
}

// Sum adds up usage.
func Sum(all []Usage, of func(Usage) bool) (sum Usage) {
	for _, u := range all {
		if of(u) {
			sum.add(u, 1)
		}
	}
	return sum
}
