package store

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// Spend is what a part of a cluster cost.
type Spend struct {
	Queue   string // "" for managers and login nodes
	Account string // whose jobs; "" for the time in which no job used the nodes
	Cost    hpc.Money
}

// Spend returns what a cluster cost from one time to another, jobs and nodes that
// are there still up to now. The parts come to what all nodes cost. It reads in
// one snapshot only inside Store.View or Store.Change.
func (tx Tx) Spend(ctx context.Context, clusterID string, from, to time.Time) ([]Spend, error) {
	all, err := tx.Usage(ctx, clusterID, from, to, time.Now())
	if err != nil {
		return nil, err
	}
	costs := map[usageKey]hpc.Money{}
	nodes := map[string]bool{} // queues
	for _, u := range all {
		costs[usageKey{queue: u.Queue, account: u.Account}] += u.Cost
		if u.Account != "" {
			costs[usageKey{queue: u.Queue}] -= u.Cost
		}
		nodes[u.Queue] = true
	}
	var list []Spend
	for _, u := range all {
		key := usageKey{queue: u.Queue, account: u.Account}
		if cost, there := costs[key]; there && cost != 0 {
			list = append(list, Spend{u.Queue, u.Account, cost})
			delete(costs, key)
		}
	}
	for queue := range nodes {
		if cost := costs[usageKey{queue: queue}]; cost != 0 {
			list = append(list, Spend{Queue: queue, Cost: cost})
		}
	}
	return list, nil
}

// Usage tells what was used of a cluster from one time to another, but not
// after now, for each queue, account and instance type; see Usage. It adds up
// sums of days and hours, then what at both ends is no whole hour, then what goes on.
func (tx Tx) Usage(ctx context.Context, clusterID string, from, to, now time.Time) ([]Usage, error) {
	t := tally{}
	if !from.Before(to) || !from.Before(now) {
		return nil, nil
	}
	first, last := roundUp(from, time.Hour), to.Truncate(time.Hour)
	if !to.Before(now) { // nothing has ended after it
		to, last = now, roundUp(now, time.Hour)
	}
	if first.After(last) {
		first = last // within one hour
	}
	if err := tx.summed(ctx, t, clusterID, first, last); err != nil {
		return nil, err
	}
	edges := [][2]time.Time{{from, earlier(first, to)}, {last, to}}
	if from.Truncate(time.Hour).Equal(last) {
		edges = [][2]time.Time{{from, to}}
	}
	for _, edge := range edges {
		if !edge[0].Before(edge[1]) {
			continue
		}
		if err := tx.reachingIn(ctx, t, clusterID, edge[0], edge[1]); err != nil {
			return nil, err
		}
	}
	if err := tx.goingOn(ctx, t, clusterID, from, to); err != nil {
		return nil, err
	}
	return t.list(), nil
}

func roundUp(at time.Time, to time.Duration) time.Time {
	if down := at.Truncate(to); down.Before(at) {
		return down.Add(to)
	}
	return at
}

// summed adds the sums of whole hours, of whole days where there are some.
func (tx Tx) summed(ctx context.Context, t tally, clusterID string, from, to time.Time) error {
	const day = 24 * time.Hour
	first, last := roundUp(from, day), to.Truncate(day)
	parts := []struct {
		grain    int64
		from, to time.Time
	}{{anHour, from, first}, {aDay, first, last}, {anHour, last, to}}
	if !first.Before(last) {
		parts = parts[:1]
		parts[0].to = to
	}
	for _, p := range parts {
		if !p.from.Before(p.to) {
			continue
		}
		var rows []*sum
		q := tx.db.NewSelect().Model(&rows).Column("queue", "account", "instance_type").
			Where("cluster_id = ? AND grain = ? AND at >= ? AND at < ?", clusterID, p.grain, p.from.Unix(), p.to.Unix()).
			Group("queue", "account", "instance_type")
		for _, column := range []string{"jobs", "failed", "cancelled", "core_time", "gpu_time", "cost"} {
			q.ColumnExpr("CAST(SUM(?) AS BIGINT) AS ?", bun.Ident(column), bun.Ident(column))
		}
		if err := q.Scan(ctx); err != nil {
			return err
		}
		for _, row := range rows {
			t.add(row.usage(), 1)
		}
	}
	return nil
}

// reachingIn adds what ended runs and spans used in a part of an hour.
func (tx Tx) reachingIn(ctx context.Context, t tally, clusterID string, from, to time.Time) error {
	spans, err := tx.spansIn(ctx, clusterID, from, to)
	if err != nil {
		return err
	}
	byName := byHost(spans)
	for _, s := range spans {
		if !s.Ended.IsZero() {
			t.add(spanUsage(s.HPC(), from, to), 1)
		}
	}
	return tx.eachRunIn(ctx, clusterID, from, to, func(r *Run) {
		runUsage(r, byName, from, to, func(u Usage) { t.add(u, 1) })
		if r.Counted && !r.Ended.Before(from) && r.Ended.Before(to) {
			t.add(runCount(r, byName), 1)
		}
	})
}

// spansIn returns the spans that reach into a period, those that go on too.
func (tx Tx) spansIn(ctx context.Context, clusterID string, from, to time.Time) ([]*NodeSpan, error) {
	rows, err := tx.OpenSpans(ctx, clusterID)
	if err != nil {
		return nil, err
	}
	query, args := union("node_spans", "*", clusterID, "began", from, to)
	var ended []*NodeSpan
	err = tx.db.NewRaw(query, args...).Scan(ctx, &ended)
	return append(rows, ended...), err
}

// eachRunIn calls each for the ended runs that reach into a period, one at a time.
func (tx Tx) eachRunIn(ctx context.Context, clusterID string, from, to time.Time, each func(*Run)) error {
	query, args := union("runs", "job_id, started, account, queue, shares, gpus, ended, state, counted", clusterID, "started", from, to)
	rows, err := tx.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r := new(Run)
		if err := tx.rows.ScanRow(ctx, rows, r); err != nil {
			return err
		}
		each(r)
	}
	return rows.Err()
}

// union is a query for what has ended and reaches into a period, by an index.
func union(table, columns, clusterID, began string, from, to time.Time) (query string, args []any) {
	where, values := reaches(began, from, to)
	parts := make([]string, len(where))
	for i, w := range where {
		parts[i] = "SELECT " + columns + " FROM " + table + " WHERE cluster_id = ? AND " + w
		args = append(append(args, clusterID), values[i]...)
	}
	return strings.Join(parts, " UNION ALL "), args
}

// goingOn adds what has not ended.
func (tx Tx) goingOn(ctx context.Context, t tally, clusterID string, from, to time.Time) error {
	open, err := tx.OpenSpans(ctx, clusterID)
	if err != nil {
		return err
	}
	for _, s := range open {
		t.add(spanUsage(s.HPC(), from, to), 1)
	}
	runs, err := tx.OpenRuns(ctx, clusterID)
	if err != nil {
		return err
	}
	spans, err := tx.spansFor(ctx, clusterID, runs)
	if err != nil {
		return err
	}
	for _, r := range runs {
		runUsage(r, spans, from, to, func(u Usage) { t.add(u, 1) })
	}
	return nil
}
