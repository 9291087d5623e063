package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// JobOrder is what a listing is sorted by; jobs that are alike in it are shown
// newest first.
type JobOrder struct {
	By         JobTime
	Descending bool
}

// JobTime is one of the times of a job.
type JobTime string

const (
	BySubmission JobTime = "submission"
	ByWaiting    JobTime = "waiting" // how long it waited, or has waited, for its start
	ByRunning    JobTime = "running" // how long it ran, or has run
)

// apply narrows a listing to what the filter lets through.
func (f JobFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
	for column, any := range map[string][]string{"owner": f.Owners, "queue": f.Queues} {
		if len(any) > 0 {
			q = q.Where("? IN (?)", bun.Ident(column), bun.List(any))
		}
	}
	if f.Owner != "" {
		q = q.Where("owner = ?", f.Owner)
	}
	if f.Name != "" {
		q = q.Where("name = ?", f.Name)
	}
	if f.Finished {
		q = q.Where("ended IS NOT NULL")
	}
	if f.Open {
		q = q.Where("ended IS NULL")
	}
	if !f.From.IsZero() {
		q = q.Where("submitted >= ?", f.From)
	}
	if !f.To.IsZero() {
		q = q.Where("submitted < ?", f.To)
	}
	if len(f.Nodes) > 0 {
		q = q.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
			for _, host := range f.Nodes {
				q = q.WhereOr("node_list LIKE ? ESCAPE '!'", `%"`+likeEscape.Replace(host)+`"%`)
			}
			return q
		})
	}
	return q
}

var likeEscape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// SortedJobs is Jobs in other orders, the first order before the next. Lengths
// of time are compared here, as the engines have no words for them in common.
func (tx Tx) SortedJobs(ctx context.Context, clusterID string, f JobFilter, orders []JobOrder, now time.Time, page Page) ([]*Job, int, error) {
	var all []*Job
	q := tx.db.NewSelect().Model(&all).Column("id", "submitted", "started", "ended").
		Where("cluster_id = ? AND deleted IS NULL AND public_id <> ''", clusterID).Order("id DESC")
	if err := f.apply(q).Scan(ctx); err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(all, func(a, b *Job) int {
		for _, o := range orders {
			c := cmp.Compare(o.By.of(a, now), o.By.of(b, now))
			if o.Descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	from := min((page.Number-1)*page.Size, len(all))
	shown := all[from:min(from+page.Size, len(all))]
	if len(shown) == 0 {
		return nil, len(all), nil
	}
	place := map[string]int{}
	for i, j := range shown {
		place[j.ID] = i
	}
	var rows []*Job
	err := tx.db.NewSelect().Model(&rows).Where("id IN (?)", bun.List(idsOf(shown))).Scan(ctx)
	slices.SortFunc(rows, func(a, b *Job) int { return place[a.ID] - place[b.ID] })
	return rows, len(all), err
}

func idsOf(jobs []*Job) []string {
	ids := make([]string, len(jobs))
	for i, j := range jobs {
		ids[i] = j.ID
	}
	return ids
}

// of is the job's time as a number to compare.
func (by JobTime) of(j *Job, now time.Time) int64 {
	first := func(times ...time.Time) time.Time {
		for _, t := range times {
			if !t.IsZero() {
				return t
			}
		}
		return now
	}
	switch {
	case by == BySubmission:
		return j.Submitted.UnixNano()
	case by == ByWaiting:
		return int64(first(j.Started, j.Ended).Sub(j.Submitted))
	case j.Started.IsZero():
		return 0
	}
	return int64(first(j.Ended).Sub(j.Started))
}
