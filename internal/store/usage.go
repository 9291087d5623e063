package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// Usage is what was used of a cluster in a period, on the nodes of a queue and
// an instance type, by an account; or, of no account, the nodes as a whole.
type Usage struct {
	Queue        string // "" for managers and login nodes
	Account      string // "" for the nodes themselves
	InstanceType string
	Jobs         int // that ended
	Failed       int // of these
	Cancelled    int // of these
	CoreTime     time.Duration
	GPUTime      time.Duration
	Cost         hpc.Money
}

func (u *Usage) add(more Usage, times int) {
	u.Jobs += times * more.Jobs
	u.Failed += times * more.Failed
	u.Cancelled += times * more.Cancelled
	u.CoreTime += time.Duration(times) * more.CoreTime
	u.GPUTime += time.Duration(times) * more.GPUTime
	u.Cost += hpc.Money(times) * more.Cost
}

// usageKey is what usage is told apart by.
type usageKey struct{ queue, account, instanceType string }

func (u *Usage) key() usageKey { return usageKey{u.Queue, u.Account, u.InstanceType} }

// tally adds up usage.
type tally map[usageKey]*Usage

func (t tally) add(u Usage, times int) {
	have := t[u.key()]
	if have == nil {
		have = &Usage{Queue: u.Queue, Account: u.Account, InstanceType: u.InstanceType}
		t[u.key()] = have
	}
	have.add(u, times)
}

func (t tally) list() []Usage {
	list := make([]Usage, 0, len(t))
	for _, u := range t {
		list = append(list, *u)
	}
	slices.SortFunc(list, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Account, b.Account), cmp.Compare(a.InstanceType, b.InstanceType))
	})
	return list
}

// runUsage calls each for what a run used in a period, node by node.
func runUsage(r *Run, spans map[string][]hpc.NodeSpan, from, to time.Time, each func(Usage)) {
	if from.Before(r.Started) {
		from = r.Started
	}
	if !r.Ended.IsZero() {
		to = earlier(to, r.Ended)
	}
	if !from.Before(to) {
		return
	}
	for i, share := range r.Shares {
		u := Usage{Account: r.Account, Queue: r.Queue}
		part := func(at, end time.Time, cost hpc.Money) {
			u.CoreTime, u.Cost = time.Duration(share.Cores)*end.Sub(at), cost
			if i == 0 {
				u.GPUTime = time.Duration(r.GPUs) * end.Sub(at)
			}
			each(u)
		}
		at := from
		for _, s := range spans[share.Host] {
			if !s.To.After(at) {
				continue
			}
			if !s.From.Before(to) {
				break
			}
			u.InstanceType = s.Type
			if s.From.After(at) {
				part(at, s.From, 0)
				at = s.From
			}
			u.Queue = s.Queue
			end := earlier(s.To, to)
			part(at, end, s.Cost(at, end, share.Cores))
			at = end
		}
		if at.Before(to) {
			part(at, to, 0)
		}
	}
}

// runCount is the count of a job whose end is counted with the run.
func runCount(r *Run, spans map[string][]hpc.NodeSpan) Usage {
	u := Usage{Account: r.Account, Queue: r.Queue, Jobs: 1}
	switch r.State {
	case hpc.JobCompleted:
	case hpc.JobCancelled:
		u.Cancelled = 1
	default:
		u.Failed = 1
	}
	if len(r.Shares) > 0 {
		for _, s := range spans[r.Shares[0].Host] {
			if s.From.Before(r.Ended) {
				u.InstanceType = s.Type
			}
		}
	}
	return u
}

// spanUsage is what a node is in a period, as a whole.
func spanUsage(s hpc.NodeSpan, from, to time.Time) Usage {
	if from.Before(s.From) {
		from = s.From
	}
	to = earlier(to, s.To)
	u := Usage{Queue: s.Queue, InstanceType: s.Type, Cost: s.Cost(from, to, s.Cores)}
	if from.Before(to) {
		u.CoreTime = time.Duration(s.Cores) * to.Sub(from)
	}
	return u
}

// What sums are kept of, in seconds.
const (
	anHour = 3600
	aDay   = 24 * anHour
)

// sum is a row of usage_sums: what ended stretches used in an hour or a day.
type sum struct {
	bun.BaseModel `bun:"table:usage_sums"`

	ClusterID    string
	Grain        int64
	At           int64
	Queue        string
	Account      string
	InstanceType string
	Jobs         int
	Failed       int
	Cancelled    int
	CoreTime     int64 // microseconds
	GPUTime      int64 `bun:"gpu_time"`
	Cost         hpc.Money
}

func (s *sum) usage() Usage {
	return Usage{s.Queue, s.Account, s.InstanceType, s.Jobs, s.Failed, s.Cancelled,
		time.Duration(s.CoreTime) * time.Microsecond, time.Duration(s.GPUTime) * time.Microsecond, s.Cost}
}

type sumKey struct {
	grain, at int64
	usageKey
}

// sums are what is to be added to the rows.
type sums map[sumKey]*Usage

func (m sums) add(at time.Time, u Usage, times int) {
	for _, grain := range []int64{anHour, aDay} {
		key := sumKey{grain, at.Unix() - at.Unix()%grain, u.key()}
		if m[key] == nil {
			m[key] = new(Usage)
		}
		m[key].add(u, times)
	}
}

// hours calls each for the hours of a period, the first and the last clipped.
func hours(from, to time.Time, each func(from, to time.Time)) {
	for from.Before(to) {
		next := earlier(from.Truncate(time.Hour).Add(time.Hour), to)
		each(from, next)
		from = next
	}
}

func (m sums) node(s hpc.NodeSpan) {
	hours(s.From, s.To, func(from, to time.Time) { m.add(from, spanUsage(s, from, to), 1) })
}

func (m sums) run(r *Run, spans map[string][]hpc.NodeSpan, times int) (cost hpc.Money) {
	hours(r.Started, r.Ended, func(from, to time.Time) {
		runUsage(r, spans, from, to, func(u Usage) {
			cost += u.Cost
			m.add(from, u, times)
		})
	})
	if r.Counted {
		m.add(r.Ended, runCount(r, spans), times)
	}
	return cost
}

// charge takes runs out of the sums and others in, and finds out their cost.
// Those that go on are no part of the sums.
func (tx Tx) charge(ctx context.Context, clusterID string, minus, plus []*Run) error {
	ended := slices.DeleteFunc(slices.Concat(minus, plus), func(r *Run) bool { return r.Ended.IsZero() })
	spans, err := tx.spansFor(ctx, clusterID, ended)
	if err != nil {
		return err
	}
	sums := sums{}
	for _, r := range minus {
		sums.run(r, spans, -1)
	}
	for _, r := range plus {
		r.Cost, r.Length = 0, 0
		if !r.Ended.IsZero() {
			r.Cost, r.Length = sums.run(r, spans, 1), lengthOf(r.Started, r.Ended)
		}
	}
	return tx.addSums(ctx, clusterID, sums)
}

func (tx Tx) addSums(ctx context.Context, clusterID string, sums sums) error {
	var rows []*sum
	for k, u := range sums {
		if *u == (Usage{}) {
			continue
		}
		rows = append(rows, &sum{ClusterID: clusterID, Grain: k.grain, At: k.at, Queue: k.queue, Account: k.account, InstanceType: k.instanceType,
			Jobs: u.Jobs, Failed: u.Failed, Cancelled: u.Cancelled, CoreTime: u.CoreTime.Microseconds(), GPUTime: u.GPUTime.Microseconds(), Cost: u.Cost})
	}
	for some := range slices.Chunk(rows, 200) {
		q := tx.db.NewInsert().Model(&some).On("CONFLICT (cluster_id, grain, at, queue, account, instance_type) DO UPDATE")
		for _, column := range []string{"jobs", "failed", "cancelled", "core_time", "gpu_time", "cost"} {
			q.Set("? = ?TableAlias.? + EXCLUDED.?", bun.Ident(column), bun.Ident(column), bun.Ident(column))
		}
		if _, err := q.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
