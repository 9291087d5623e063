package hpc

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestJobsAndIdleComeToTheNodes compares with a count of every core and second,
// over random lives of nodes, prices, runs and periods.
func TestJobsAndIdleComeToTheNodes(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		cores, length := 1+r.IntN(9), 60+r.IntN(600)
		at := func(second int) time.Time { return begin.Add(time.Duration(second) * time.Second) }
		var spans []NodeSpan
		prices := make([]Money, length) // of each second
		for from := 0; from < length; {
			to := min(from+1+r.IntN(200), length)
			price := Money(r.Int64N(20e9))
			spans = append(spans, NodeSpan{Cores: cores, Price: price, From: at(from), To: at(to)})
			for i := from; i < to; i++ {
				prices[i] = price
			}
			from = to
		}
		// Runs take cores for a while, as a scheduler gives them: no core twice.
		type run struct{ from, to, cores int }
		var runs []run
		free := make([]int, cores) // when each core is free again
		for range r.IntN(40) {
			n, from := 1+r.IntN(cores), r.IntN(length)
			var take []int
			for core, since := range free {
				if since <= from && len(take) < n {
					take = append(take, core)
				}
			}
			to := min(from+1+r.IntN(300), length)
			for _, core := range take {
				free[core] = to
			}
			if len(take) > 0 {
				runs = append(runs, run{from, to, len(take)})
			}
		}
		cost := func(from, to, cores int) (sum Money) {
			for _, s := range spans {
				sum += s.Cost(at(from), at(to), cores)
			}
			return sum
		}
		a, b := r.IntN(length), r.IntN(length)
		a, b = min(a, b), max(a, b)
		node, used := cost(a, b, cores), Money(0)
		for i, job := range runs {
			from, to := max(job.from, a), min(job.to, b)
			if from >= to {
				continue
			}
			got := cost(from, to, job.cores)
			used += got
			want := new(big.Rat)
			for second := from; second < to; second++ {
				want.Add(want, big.NewRat(int64(prices[second])*int64(job.cores), int64(cores)*3600))
			}
			exact, _ := want.Float64()
			// A billionth for each of its cores at both ends of each span.
			if off := float64(got) - exact; off > float64(2*job.cores*len(spans)) || off < -float64(2*job.cores*len(spans)) {
				t.Fatalf("seed %d: run %d costs %d, counted %f", seed, i, got, exact)
			}
			cut := from + r.IntN(to-from)
			if parts := cost(from, cut, job.cores) + cost(cut, to, job.cores); parts != got {
				t.Fatalf("seed %d: run %d costs %d, its parts %d", seed, i, got, parts)
			}
		}
		if idle := node - used; idle < 0 {
			t.Fatalf("seed %d: the jobs cost %d, the node %d", seed, used, node)
		}
		if whole := cost(0, length, cores); cost(0, a, cores)+node+cost(b, length, cores) != whole {
			t.Fatalf("seed %d: the parts of the node's time do not come to %d", seed, whole)
		}
	}
}

func TestAWholeHourCostsItsPrice(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := NodeSpan{Cores: 4, Price: MoneyOf(0.64), From: begin, To: begin.Add(time.Hour)}
	if whole, half := s.Cost(begin.Add(-time.Hour), begin.Add(5*time.Hour), 4), s.Cost(begin, begin.Add(time.Hour), 2); whole != MoneyOf(0.64) || half != MoneyOf(0.32) {
		t.Errorf("the node costs %v, half of it %v", whole, half)
	}
	long := NodeSpan{Cores: 3, Price: MoneyOf(1e6), From: begin, To: begin.AddDate(250, 0, 0)}
	if got := long.Cost(long.From, long.To, 3); got < 0 {
		t.Errorf("what is too much to count is %v", got)
	}
}

func TestHowCoresLieOnNodes(t *testing.T) {
	t.Parallel()
	has := map[string]int{"a": 2, "b": 8, "c": 8}
	for _, c := range []struct {
		hosts []string
		cores int
		want  []NodeShare
	}{
		{[]string{"b"}, 3, []NodeShare{{"b", 3}}},
		{[]string{"b", "c"}, 5, []NodeShare{{"b", 3}, {"c", 2}}},
		{[]string{"a", "b", "c"}, 12, []NodeShare{{"a", 2}, {"b", 5}, {"c", 5}}},
		{[]string{"a"}, 9, []NodeShare{{"a", 2}}},
		{[]string{"unknown"}, 9, []NodeShare{{"unknown", 9}}},
		{nil, 4, []NodeShare{}},
	} {
		if got := NodeShares(c.hosts, c.cores, func(host string) int { return has[host] }); !slices.Equal(got, c.want) {
			t.Errorf("%d cores on %v lie as %v, want %v", c.cores, c.hosts, got, c.want)
		}
	}
}
