package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
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

// word is a text that many rows have; comparing it is comparing a pointer.
type word = unique.Handle[string]

// jobEntry is what listings of jobs filter and sort by. Times are in
// nanoseconds, 0 for none.
type jobEntry struct {
	id                        string
	submitted, started, ended int64
	owner, queue, name        word
	hosts                     []word
	listed                    bool // SubmitJob has answered for it and it is not deleted
}

var jobShape = shape[jobEntry]{kind: jobKind, first: firstJobs, changed: changedJobs, removed: movedJobs,
	id: func(e jobEntry) string { return e.id }, compare: func(a, b jobEntry) int { return strings.Compare(a.id, b.id) }}

func firstJobs(ctx context.Context, tx Tx, clusterID, behind string) ([]jobEntry, error) {
	return tx.jobEntries(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("cluster_id = ? AND id > ?", clusterID, behind).Order("id").Limit(stepRows)
	})
}

func changedJobs(ctx context.Context, tx Tx, clusterID string, after, upTo int64) ([]jobEntry, error) {
	return tx.jobEntries(ctx, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("cluster_id = ? AND seq > ? AND seq <= ?", clusterID, after, upTo)
	})
}

func (tx Tx) jobEntries(ctx context.Context, which func(*bun.SelectQuery) *bun.SelectQuery) (list []jobEntry, err error) {
	rows, err := which(tx.db.NewSelect().Model((*Job)(nil)).
		Column("id", "public_id", "owner", "queue", "name", "node_list", "submitted", "started", "ended", "deleted")).Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	lists := map[string][]word{} // jobs that ran on the same hosts share them
	for rows.Next() {
		var id, public, owner, queue, name, nodes string
		var submitted, started, ended, deleted bun.NullTime
		if err := rows.Scan(&id, &public, &owner, &queue, &name, &nodes, &submitted, &started, &ended, &deleted); err != nil {
			return nil, err
		}
		if _, known := lists[nodes]; !known {
			if lists[nodes], err = hostWords(nodes); err != nil {
				return nil, fmt.Errorf("cannot read where job %s ran: %w", id, err)
			}
		}
		list = append(list, jobEntry{id: id, submitted: nano(submitted), started: nano(started), ended: nano(ended),
			owner: unique.Make(owner), queue: unique.Make(queue), name: unique.Make(name), hosts: lists[nodes],
			listed: public != "" && deleted.IsZero()})
	}
	return list, rows.Err()
}

// hostWords reads a list of hosts as the row has it.
func hostWords(text string) ([]word, error) {
	var names []string
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return nil, err
	}
	return words(names), nil
}

func words(texts []string) []word {
	list := make([]word, len(texts))
	for i, text := range texts {
		list[i] = unique.Make(text)
	}
	return list
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

// picked is an entry that matches, and its place in the first order.
type picked struct {
	key int64
	at  int32
}

// pickJobs returns the ids of a page, and how many jobs match.
func pickJobs(all []jobEntry, f JobFilter, orders []JobOrder, now time.Time, page Page) (ids []string, total int) {
	matches, at := f.matcher(), now.UnixNano()
	if len(orders) == 0 {
		from, to := page.bounds(len(all))
		for i := len(all) - 1; i >= 0; i-- {
			if all[i].listed && matches(&all[i]) {
				if total >= from && total < to {
					ids = append(ids, all[i].id)
				}
				total++
			}
		}
		return ids, total
	}
	list := make([]picked, 0, len(all))
	for i := range all {
		if all[i].listed && matches(&all[i]) {
			list = append(list, picked{orders[0].key(&all[i], at), int32(i)})
		}
	}
	from, to := page.bounds(len(list))
	window(list, from, to, func(a, b picked) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		for _, o := range orders[1:] {
			if c := cmp.Compare(o.key(&all[a.at], at), o.key(&all[b.at], at)); c != 0 {
				return c
			}
		}
		return cmp.Compare(b.at, a.at) // the newest first
	})
	for _, p := range list[from:to] {
		ids = append(ids, all[p.at].id)
	}
	return ids, len(list)
}

// key is smaller for what is shown earlier.
func (o JobOrder) key(e *jobEntry, now int64) int64 {
	if o.Descending {
		return -o.By.of(e, now)
	}
	return o.By.of(e, now)
}

// matcher tells which entries the filter lets through.
func (f JobFilter) matcher() func(*jobEntry) bool {
	var tests []func(*jobEntry) bool
	among := func(texts []string, of func(*jobEntry) word) {
		if len(texts) > 0 {
			any := words(texts)
			tests = append(tests, func(e *jobEntry) bool { return slices.Contains(any, of(e)) })
		}
	}
	owner := func(e *jobEntry) word { return e.owner }
	among(f.Owners, owner)
	if f.Owner != "" {
		among([]string{f.Owner}, owner)
	}
	if f.Name != "" {
		among([]string{f.Name}, func(e *jobEntry) word { return e.name })
	}
	among(f.Queues, func(e *jobEntry) word { return e.queue })
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
		hosts := words(f.Nodes)
		tests = append(tests, func(e *jobEntry) bool {
			return slices.ContainsFunc(e.hosts, func(h word) bool { return slices.Contains(hosts, h) })
		})
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
