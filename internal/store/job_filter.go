package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/uptrace/bun"
)

// JobFilter says which jobs a listing shows.
type JobFilter struct {
	Owner    string // "" for every account
	Finished bool   // only ended ones
	Open     bool   // only those that have not ended
	Name     string
	Owners   []string // one of these; nil for all, as below
	Queues   []string
	Nodes    []string  // on one of these hosts
	From, To time.Time // submitted then or later, and before then
}

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

// jobEntry is what listings of jobs filter and sort by. Times are in
// nanoseconds, 0 for none; many jobs share the rest.
type jobEntry struct {
	id                          string
	submitted, started, ended   int64
	owner, queue, name, onNodes unique.Handle[string] // the last as the row has it
	listed                      bool                  // SubmitJob has answered for it and it is not deleted
}

var jobShape = shape[jobEntry]{kind: jobKind, load: loadJobEntries,
	compare: func(a, b jobEntry) int { return strings.Compare(a.id, b.id) }}

func loadJobEntries(ctx context.Context, tx Tx, clusterID string, after int64) (list []jobEntry, err error) {
	rows, err := tx.db.NewSelect().Model((*Job)(nil)).
		Column("id", "public_id", "owner", "queue", "name", "node_list", "submitted", "started", "ended", "deleted").
		Where("cluster_id = ? AND seq > ?", clusterID, after).Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, public, owner, queue, name, nodes string
		var submitted, started, ended, deleted bun.NullTime
		if err := rows.Scan(&id, &public, &owner, &queue, &name, &nodes, &submitted, &started, &ended, &deleted); err != nil {
			return nil, err
		}
		list = append(list, jobEntry{id: id, submitted: nano(submitted), started: nano(started), ended: nano(ended),
			owner: unique.Make(owner), queue: unique.Make(queue), name: unique.Make(name), onNodes: unique.Make(nodes),
			listed: public != "" && deleted.IsZero()})
	}
	return list, rows.Err()
}

func nano(t bun.NullTime) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// Jobs returns a page of a cluster's jobs that SubmitJob has answered for and
// that are not deleted, newest first or in the orders, the first before the
// next, and how many there are.
func (s *Store) Jobs(ctx context.Context, clusterID string, f JobFilter, orders []JobOrder, now time.Time, page Page) (shown []*Job, total int, err error) {
	var ids []string
	err = s.jobs.view(ctx, s.Read(), jobShape, clusterID, func(all []jobEntry) { ids, total = pickJobs(all, f, orders, now, page) })
	if err != nil || len(ids) == 0 {
		return nil, total, err
	}
	err = s.read.NewSelect().Model(&shown).Where("id IN (?)", bun.List(ids)).Scan(ctx)
	return inOrder(shown, ids, func(j *Job) string { return j.ID }), total, err
}

// pickJobs returns the ids of a page, and how many jobs match.
func pickJobs(all []jobEntry, f JobFilter, orders []JobOrder, now time.Time, page Page) (ids []string, total int) {
	matches := f.matcher()
	picked := make([]int32, 0, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].listed && matches(&all[i]) {
			picked = append(picked, int32(i))
		}
	}
	from, to := page.bounds(len(picked))
	if len(orders) > 0 {
		at := now.UnixNano()
		window(picked, from, to, func(a, b int32) int {
			for _, o := range orders {
				if c := cmp.Compare(o.By.of(&all[a], at), o.By.of(&all[b], at)); c != 0 {
					if o.Descending {
						return -c
					}
					return c
				}
			}
			return cmp.Compare(b, a) // the newest first
		})
	}
	for _, i := range picked[from:to] {
		ids = append(ids, all[i].id)
	}
	return ids, len(picked)
}

// matcher tells which entries the filter lets through.
func (f JobFilter) matcher() func(*jobEntry) bool {
	var tests []func(*jobEntry) bool
	among := func(texts []string, of func(*jobEntry) unique.Handle[string]) {
		if len(texts) == 0 {
			return
		}
		set := make(map[unique.Handle[string]]bool, len(texts))
		for _, text := range texts {
			set[unique.Make(text)] = true
		}
		tests = append(tests, func(e *jobEntry) bool { return set[of(e)] })
	}
	owner := func(e *jobEntry) unique.Handle[string] { return e.owner }
	among(f.Owners, owner)
	if f.Owner != "" {
		among([]string{f.Owner}, owner)
	}
	if f.Name != "" {
		among([]string{f.Name}, func(e *jobEntry) unique.Handle[string] { return e.name })
	}
	among(f.Queues, func(e *jobEntry) unique.Handle[string] { return e.queue })
	if f.Finished || f.Open {
		tests = append(tests, func(e *jobEntry) bool { return (!f.Finished || e.ended != 0) && (!f.Open || e.ended == 0) })
	}
	if !f.From.IsZero() {
		from := f.From.UnixNano()
		tests = append(tests, func(e *jobEntry) bool { return e.submitted >= from })
	}
	if !f.To.IsZero() {
		to := f.To.UnixNano()
		tests = append(tests, func(e *jobEntry) bool { return e.submitted < to })
	}
	if len(f.Nodes) > 0 {
		tests = append(tests, onNodes(f.Nodes))
	}
	return func(e *jobEntry) bool {
		for _, test := range tests {
			if !test(e) {
				return false
			}
		}
		return true
	}
}

// onNodes looks once at every list of hosts.
func onNodes(hosts []string) func(*jobEntry) bool {
	known := map[unique.Handle[string]]bool{}
	return func(e *jobEntry) bool {
		on, ok := known[e.onNodes]
		if !ok {
			list := e.onNodes.Value()
			on = slices.ContainsFunc(hosts, func(host string) bool { return strings.Contains(list, `"`+host+`"`) })
			known[e.onNodes] = on
		}
		return on
	}
}

// of is the job's time as a number to compare.
func (by JobTime) of(e *jobEntry, now int64) int64 {
	switch {
	case by == BySubmission:
		return e.submitted
	case by == ByWaiting:
		return cmp.Or(e.started, e.ended, now) - e.submitted
	case e.started == 0:
		return 0
	}
	return cmp.Or(e.ended, now) - e.started
}
