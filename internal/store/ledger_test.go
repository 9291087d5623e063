package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// history is a random life of a cluster: what a test counts by hand, second by
// second, beside what the store adds up.
type history struct {
	begin  time.Time
	length int // seconds
	nodes  []*Node
	price  [][]hpc.Money // by node and second; -1 while it has no machine
	queue  [][]string    // by node and second
	runs   []*Run        // in the order of their ends; those without one go on
}

func (h *history) at(second int) time.Time { return h.begin.Add(time.Duration(second) * time.Second) }

// write plays the history into a store, in the order of time.
func (h *history) write(t *testing.T, s *Store) {
	type event struct {
		second int
		do     func(ctx context.Context, tx Tx) error
	}
	var events []event
	for i, n := range h.nodes {
		was := hpc.Money(-1)
		queue := n.Queue
		for second := range h.length {
			price, in := h.price[i][second], h.queue[i][second]
			at := h.at(second)
			switch {
			case was < 0 && price >= 0:
				events = append(events, event{second, func(ctx context.Context, tx Tx) error { return tx.BeginSpan(ctx, n.ID, price, at) }})
			case was >= 0 && price < 0:
				events = append(events, event{second, func(ctx context.Context, tx Tx) error { return tx.EndSpan(ctx, n.ID, at) }})
			case price != was:
				events = append(events, event{second, func(ctx context.Context, tx Tx) error {
					return tx.TurnSpan(ctx, n.ID, at, func(s *NodeSpan) { s.Price = price })
				}})
			}
			if in != queue {
				events = append(events, event{second, func(ctx context.Context, tx Tx) error {
					n, err := tx.node(ctx, n.ID)
					if err != nil {
						return err
					}
					return tx.MoveNode(ctx, n, in, at)
				}})
			}
			was, queue = price, in
		}
	}
	for _, r := range h.runs {
		second := h.length
		if !r.Ended.IsZero() {
			second = int(r.Ended.Sub(h.begin) / time.Second)
		}
		events = append(events, event{second, func(ctx context.Context, tx Tx) error {
			l := Ledger{Runs: []*Run{r}}
			if r.Final {
				l.Ended = []string{r.JobID}
			}
			again := *r
			if err := tx.RecordRuns(ctx, "c", l); err != nil {
				return err
			}
			return tx.RecordRuns(ctx, "c", Ledger{Runs: []*Run{&again}, Ended: l.Ended}) // told twice, it counts once
		}})
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.second - b.second })
	change(t, s, func(ctx context.Context, tx Tx) error {
		if err := tx.InsertNodes(ctx, h.nodes); err != nil {
			return err
		}
		for _, e := range events {
			if err := e.do(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
}

func randomHistory(r *rand.Rand) *history {
	h := &history{begin: time.Date(2026, 11, 1, 22, 40, 0, 0, time.UTC), length: 3600 + r.IntN(3*3600)}
	if r.IntN(3) == 0 {
		h.length = 3600 * (20 + r.IntN(30))
	}
	for i := range 1 + r.IntN(3) {
		n := &Node{ID: fmt.Sprint("i-", i), ClusterID: "c", Hostname: fmt.Sprint("compute00", i), Roles: []hpc.Role{hpc.RoleCompute}, Queue: "workq",
			InstanceType: hpc.InstanceType{Name: fmt.Sprint("type", i%2), Cores: 1 + r.IntN(7)}, Status: hpc.NodeRunning, Created: now, Changed: now}
		h.nodes = append(h.nodes, n)
		price, queue := make([]hpc.Money, h.length), make([]string, h.length)
		p, q := hpc.Money(r.Int64N(5e9)), "workq"
		begins, ends := r.IntN(600), h.length-r.IntN(1200)
		for second := range h.length {
			switch r.IntN(h.length) {
			case 0, 1, 2:
				p = hpc.Money(r.Int64N(5e9))
			case 3:
				q = []string{"workq", "night"}[r.IntN(2)]
			}
			price[second], queue[second] = p, q
			if second < begins || second >= ends {
				price[second] = -1
			}
		}
		h.price, h.queue = append(h.price, price), append(h.queue, queue)
		free := make([]int, n.InstanceType.Cores)
		for job := range r.IntN(60) {
			from := begins + r.IntN(h.length-begins-1200)
			var take []int
			for core, since := range free {
				if since <= from && len(take) < 1+job%3 {
					take = append(take, core)
				}
			}
			if len(take) == 0 {
				continue
			}
			to := min(from+1+r.IntN(1+r.IntN(h.length)), h.length-1201)
			for _, core := range take {
				free[core] = to
			}
			run := &Run{ClusterID: "c", JobID: fmt.Sprintf("j%d-%d", i, job), PublicID: fmt.Sprint(job), Account: fmt.Sprint("user", job%4), Queue: "workq",
				Shares: []hpc.NodeShare{{Host: n.Hostname, Cores: len(take)}}, Cores: len(take), Submitted: h.at(0), Started: h.at(from), Ended: h.at(to),
				State: []hpc.JobState{hpc.JobCompleted, hpc.JobFailed, hpc.JobCancelled}[r.IntN(3)], Final: r.IntN(5) > 0}
			if r.IntN(15) == 0 {
				run.Ended, run.State, run.Final = time.Time{}, hpc.JobRunning, false
				for _, core := range take {
					free[core] = h.length
				}
			}
			h.runs = append(h.runs, run)
		}
	}
	slices.SortStableFunc(h.runs, func(a, b *Run) int { return a.Ended.Compare(b.Ended) })
	return h
}

// counted is what is used in a period, second by second. Costs are exact.
func (h *history) counted(from, to int) (core, jobs map[string]int, cost map[string]float64, whole float64) {
	core, jobs, cost, whole = map[string]int{}, map[string]int{}, map[string]float64{}, 0
	perSecond := func(price hpc.Money, part, cores int) float64 {
		return float64(price) * float64(part) / (float64(cores) * 3600)
	}
	for i, n := range h.nodes {
		for second := from; second < min(to, h.length); second++ {
			if price := h.price[i][second]; price >= 0 {
				whole += perSecond(price, 1, 1)
			}
		}
		for _, r := range h.runs {
			if r.Shares[0].Host != n.Hostname {
				continue
			}
			begin, end := int(r.Started.Sub(h.begin)/time.Second), to
			if !r.Ended.IsZero() {
				end = int(r.Ended.Sub(h.begin) / time.Second)
				if r.Final && end >= from && end < to {
					jobs[r.Account]++
				}
			}
			for second := max(begin, from); second < min(end, to); second++ {
				core[r.Account] += r.Cores
				if second < h.length && h.price[i][second] >= 0 {
					cost[r.Account] += perSecond(h.price[i][second], r.Cores, n.InstanceType.Cores)
				}
			}
		}
	}
	return core, jobs, cost, whole
}

func TestTheLedgerAddsUp(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		for seed := range uint64(4) {
			r := rand.New(rand.NewPCG(seed, 63))
			h := randomHistory(r)
			s := open(t, place())
			change(t, s, func(ctx context.Context, tx Tx) error {
				return tx.InsertCluster(ctx, &Cluster{ID: "c", Owner: "o", Status: hpc.ClusterRunning, Wanted: true, Created: now, Changed: now}, hpc.Secrets{})
			})
			h.write(t, s)
			usage := func(from, to, now int) (list []Usage) {
				err := s.View(t.Context(), func(ctx context.Context, tx Tx) (err error) {
					list, err = tx.Usage(ctx, "c", h.at(from), h.at(to), h.at(now))
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				return list
			}
			for range 8 {
				from, to := r.IntN(h.length), r.IntN(h.length+1000)
				from, to = min(from, to), max(from, to)
				if r.IntN(3) == 0 {
					from -= (from - 1200 + 3600) % 3600 // a whole hour
				}
				from = max(from, 0)
				after := h.length + 2000 // what is asked for is long past
				if r.IntN(3) == 0 {
					after = h.length // it goes on
				}
				h.compare(t, seed, usage(from, to, after), from, min(to, after))
				cut := from + (to-from)/3
				parts := tally{}
				for _, u := range slices.Concat(usage(from, cut, after), usage(cut, to, after)) {
					parts.add(u, 1)
				}
				whole := tally{}
				for _, u := range usage(from, to, after) {
					whole.add(u, 1)
				}
				for key, u := range whole {
					if p := parts[key]; p == nil || *p != *u {
						t.Fatalf("seed %d, %d to %d, cut at %d: %+v, its parts %+v", seed, from, to, cut, u, p)
					}
				}
			}
			s.Close()
		}
	})
}

func (h *history) compare(t *testing.T, seed uint64, list []Usage, from, to int) {
	t.Helper()
	wantCore, wantJobs, wantCost, wantWhole := h.counted(from, to)
	core, jobs, cost, idle := map[string]int{}, map[string]int{}, map[string]hpc.Money{}, map[string]hpc.Money{}
	var whole hpc.Money
	for _, u := range list {
		if u.Account == "" {
			whole += u.Cost
			idle[u.Queue] += u.Cost
			continue
		}
		idle[u.Queue] -= u.Cost
		core[u.Account] += int(u.CoreTime / time.Second)
		jobs[u.Account] += u.Jobs
		cost[u.Account] += u.Cost
	}
	near := func(got hpc.Money, want float64) bool {
		off := float64(got) - want
		return off < 3000 && off > -3000 // billionths, of all spans and runs
	}
	for i := range 4 {
		name := fmt.Sprint("user", i)
		if core[name] != wantCore[name] || jobs[name] != wantJobs[name] || !near(cost[name], wantCost[name]) {
			t.Fatalf("seed %d, %d to %d of %d: %s has %d core seconds, %d jobs, %v; counted %d, %d, %v", seed, from, to, h.length,
				name, core[name], jobs[name], cost[name], wantCore[name], wantJobs[name], wantCost[name])
		}
	}
	if !near(whole, wantWhole) {
		t.Fatalf("seed %d, %d to %d: the nodes cost %v, counted %v", seed, from, to, whole, wantWhole)
	}
	for queue, rest := range idle {
		if rest < 0 {
			t.Fatalf("seed %d, %d to %d: idle of %s is %v", seed, from, to, queue, rest)
		}
	}
}
