package reconcile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// noon is when the tests of offers are; the spot price of large rises then.
var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func offering(types ...hpc.ScaleType) hpc.QueueScale {
	return hpc.QueueScale{Grow: true, Shrink: true, Types: types}
}

func named(names ...string) (types []hpc.ScaleType) {
	for _, name := range names {
		types = append(types, hpc.ScaleType{Name: name})
	}
	return types
}

// busy has jobs on all nodes.
func (v *scaleView) busy() {
	for host, n := range v.Sched {
		n.State, n.CoresUsed = scheduler.NodeBusy, n.Cores
		v.Sched[host] = n
	}
}

func TestWhatAQueueWhoseJobsFitNoTypeSays(t *testing.T) {
	t.Parallel()
	v := scaleViewOf(1)
	v.Explain, v.Config.Checked = true, noon
	v.wait(2, waiting{Cores: 17})
	says := func() string {
		for _, s := range planScale(noon, v) {
			if s.Act == addNone || s.Act == addNodes {
				return s.line()
			}
		}
		return ""
	}
	const none = "no node is added for 2 of the jobs: no instance type of queue workq has 17 cores (small: 4 cores, 8192 MB and 1 GPUs)"
	if got := says(); !strings.HasSuffix(got, none) || strings.Contains(got, "enough") {
		t.Errorf("%q", got)
	}
	v.wait(9, waiting{Cores: 1})
	if got := says(); !strings.HasPrefix(got, "2 nodes of type small are added") || !strings.HasSuffix(got, none) {
		t.Errorf("beside jobs that fit: %q", got)
	}
}

func TestWhichTypesAQueueGrowsBy(t *testing.T) {
	t.Parallel()
	one, wide := waiting{Cores: 1}, waiting{Cores: 9}
	spot := hpc.ScaleType{Name: "large", SpotStrategy: hpc.SpotWithPriceLimit, SpotPriceLimit: 0.5}
	for _, c := range []struct {
		name string
		set  func(v *scaleView)
		want string
		says string // of the last step
	}{
		{"the first that holds the job", func(v *scaleView) { v.Own["workq"] = offering(named("small", "large")...); v.wait(5, one) }, "add 2", ""},
		{"the order is that of preference", func(v *scaleView) { v.Own["workq"] = offering(named("large", "small")...); v.wait(5, one) }, "add 1 large", ""},
		{"each kind of job by itself", func(v *scaleView) {
			v.Own["workq"] = offering(named("small", "large")...)
			v.wait(1, wide)
			v.wait(20, waiting{Cores: 1, GPUs: 1})
		}, "add 1 large, add 20", ""},
		{"small jobs fill what a large one leaves", func(v *scaleView) {
			v.Own["workq"] = offering(named("small", "large")...)
			v.wait(1, wide)
			v.wait(7, one)
		}, "add 1 large", ""},
		{"a job that none holds", func(v *scaleView) {
			v.Own["workq"] = offering(named("small", "large")...)
			v.wait(1, waiting{Cores: 17})
		}, "tell the owner", "small: 4 cores, 8192 MB and 1 GPUs; large: 16 cores"},
		{"a queue without types grows by its newest node's", func(v *scaleView) {
			v.moreOf(large, 1, hpc.NodeRunning)
			v.moreOf(small, 1, hpc.NodeRunning)
			v.busy()
			v.wait(1, one)
		}, "add 1", ""},
		{"and by another node's for a job that this does not hold", func(v *scaleView) {
			v.moreOf(large, 1, hpc.NodeRunning)
			v.moreOf(small, 1, hpc.NodeRunning)
			v.busy()
			v.wait(1, wide)
			v.wait(14, one)
		}, "add 1 large, add 2", ""},
		{"and by the cluster's", func(v *scaleView) {
			v.Type = "large"
			v.moreOf(small, 1, hpc.NodeRunning)
			v.wait(1, wide)
		}, "add 1 large", ""},
		{"not by the cluster's where types are set", func(v *scaleView) {
			v.Type, v.Own["workq"] = "large", offering(named("small")...)
			v.wait(1, wide)
		}, "tell the owner", "no node is added for it: it asks for 9 cores on a node, no instance type of queue workq has 9 cores (small: 4 cores, 8192 MB and 1 GPUs)"},
		{"nor for want of machines of the newest's type", func(v *scaleView) {
			v.Type = "large"
			v.moreOf(small, 1, hpc.NodeRunning)
			v.busy()
			v.Config.Resting["small"] = noon.Add(time.Minute)
			v.wait(1, one)
		}, "add none, tell the owner", "no capacity for small until 12:01 UTC"},
		{"nor for a minimum", func(v *scaleView) {
			set := offering()
			set.MinNodes = 3
			v.Type, v.Own["workq"] = "large", set
			v.moreOf(small, 1, hpc.NodeRunning)
			v.wait(1, wide)
		}, "add 1 large, add 1", ""},
		{"memory that no type has", func(v *scaleView) {
			v.Type = "large"
			v.moreOf(small, 1, hpc.NodeRunning)
			v.wait(2, waiting{Cores: 1, MemoryMB: 70000})
		}, "tell the owner", "no instance type of queue workq has 1 cores, 70000 MB (small: 4 cores, 8192 MB and 1 GPUs; large: 16 cores, 65536 MB and 0 GPUs)"},
		{"a type that is not there any more is passed over", func(v *scaleView) { v.Own["workq"] = offering(named("gone", "large")...); v.wait(1, one) }, "add 1 large", ""},
		{"a type that rests is passed over", func(v *scaleView) {
			v.Own["workq"] = offering(named("small", "large")...)
			v.Config.Resting["small"] = noon.Add(time.Minute)
			v.wait(1, one)
		}, "add 1 large", "no capacity for small until 12:01 UTC"},
		{"a type that has rested is not", func(v *scaleView) {
			v.Own["workq"] = offering(named("small", "large")...)
			v.Config.Resting["small"] = noon
			v.wait(1, one)
		}, "add 1", ""},
		{"of a type that there are some of, those", func(v *scaleView) {
			v.Own["workq"] = offering(named("small", "large")...)
			v.Room, v.Scarce = map[string]int{"small": 2}, map[string]string{"small": "full"}
			v.wait(5, waiting{Cores: 4})
		}, "add 2, add 1 large", "no capacity for small until 12:10 UTC"},
		{"of the only type that there are some of, those", func(v *scaleView) {
			v.Room, v.Scarce = map[string]int{"small": 2}, map[string]string{"small": "full"}
			v.wait(5, waiting{Cores: 4})
		}, "add 2, tell the owner", "no node is added for it: no capacity for small until 12:10 UTC"},
		{"no type is to be had", func(v *scaleView) {
			v.Own["workq"] = offering(named("small", "large")...)
			v.Config.Resting["small"], v.Config.Resting["large"] = noon.Add(time.Minute), noon.Add(2*time.Minute)
			v.wait(1, one)
		}, "add none, tell the owner", "no capacity for small until 12:01 UTC; no capacity for large until 12:02 UTC"},
		{"a job over several nodes gets them of several types", func(v *scaleView) {
			v.Own["workq"] = offering(named("small", "large")...)
			v.Room, v.Scarce = map[string]int{"small": 2}, map[string]string{"small": "full"}
			v.wait(1, waiting{Nodes: 3, Cores: 4})
		}, "add 2, add 1 large", ""},
		{"or none", func(v *scaleView) {
			v.Room, v.Scarce = map[string]int{"small": 2}, map[string]string{"small": "full"}
			v.wait(1, waiting{Nodes: 3, Cores: 4})
		}, "add none, tell the owner", ""},
		{"fewer than a round's minimum are to be had", func(v *scaleView) {
			set := offering(named("small")...)
			set.MinPerCycle = 3
			v.Own["workq"] = set
			v.Room, v.Scarce = map[string]int{"small": 2}, map[string]string{"small": "full"}
			v.wait(5, waiting{Cores: 4})
		}, "add none, tell the owner", ""},
		{"the minimum is filled with what is to be had", func(v *scaleView) {
			set := offering(named("small", "large")...)
			set.MinNodes = 3
			v.Own["workq"] = set
			v.Room, v.Scarce = map[string]int{"small": 2}, map[string]string{"small": "full"}
		}, "add 2, add 1 large", "is to have 3 at least"},
		{"those that there are most of come first, if that is asked for", func(v *scaleView) {
			set := offering(named("small", "large")...)
			set.ByInventory = true
			v.Own["workq"] = set
			v.Stock = map[string]int{"small": 3, "large": 4}
			v.wait(1, one)
		}, "add 1 large", ""},
		{"a spot price below the limit", func(v *scaleView) {
			v.Own["workq"] = offering(spot)
			v.Tariff.Spot["large"] = v.Tariff.Spot["large"][:1]
			v.wait(1, one)
		}, "add 1 large (preemptible, up to 0.5 an hour)", ""},
		{"a spot price above the limit", func(v *scaleView) { v.Own["workq"] = offering(spot); v.wait(1, one) },
			"add none, tell the owner", "no node is added for it: the spot price of large is 0.7, over the limit of 0.5"},
		{"then the next type", func(v *scaleView) { v.Own["workq"] = offering(spot, hpc.ScaleType{Name: "small"}); v.wait(1, one) }, "add 1", "over the limit of 0.5"},
		{"which may be the same, at its full price", func(v *scaleView) {
			v.Own["workq"] = offering(spot, hpc.ScaleType{Name: "large"})
			v.wait(1, one)
		}, "add 1 large", ""},
		{"the queue's strategy", func(v *scaleView) {
			set := offering(named("large")...)
			set.SpotStrategy = hpc.SpotAsPriceGo
			v.Own["workq"] = set
			v.wait(1, one)
		}, "add 1 large (preemptible)", ""},
		{"the cluster's strategy and limit", func(v *scaleView) {
			v.Config.Settings.SpotStrategy, v.Config.Settings.SpotPriceLimit = hpc.SpotWithPriceLimit, 0.4
			v.wait(1, one)
		}, "add 1 small (preemptible, up to 0.4 an hour)", ""},
		{"the queue's limit under the cluster's strategy", func(v *scaleView) {
			v.Config.Settings.SpotStrategy, v.Config.Settings.SpotPriceLimit = hpc.SpotWithPriceLimit, 0.4
			v.Own["workq"] = hpc.QueueScale{Grow: true, SpotPriceLimit: 0.3}
			v.wait(1, one)
		}, "add none, tell the owner", "the spot price of small is 0.4, over the limit of 0.3"},
		{"a type of its own mind", func(v *scaleView) {
			set := offering(hpc.ScaleType{Name: "large", SpotStrategy: hpc.NoSpot})
			set.SpotStrategy = hpc.SpotAsPriceGo
			v.Own["workq"] = set
			v.wait(1, one)
		}, "add 1 large", ""},
		{"a job that starts before another has no need", func(v *scaleView) {
			v.Room, v.Scarce = map[string]int{"small": 1}, map[string]string{"small": "full"}
			v.wait(1, waiting{Cores: 4})
			second := &store.Job{ID: "second", Queue: "workq"}
			v.Jobs = append(v.Jobs, second)
			v.Waiting[0].Count, v.Waiting[0].Rows = 2, append(v.Waiting[0].Rows, claim{second, 1})
		}, "add 1, tell the owner", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := scaleViewOf(0)
			v.Config.Checked = noon
			v.Tariff.Spot = map[string][]hpc.SpotPrice{"large": {{From: noon.Add(-time.Hour), Price: 0.2}, {From: noon, Price: 0.7}}}
			c.set(v)
			steps := planScale(noon, v)
			if got := summary(steps); got != c.want {
				t.Fatalf("%q, want %q: %+v", got, c.want, steps)
			}
			if last := steps[len(steps)-1]; !strings.Contains(last.Reason, c.says) {
				t.Errorf("the reason is %q, want it to tell %q", last.Reason, c.says)
			}
		})
	}
}

// shelf is a provider that has so many machines of each type.
type shelf struct {
	provider.Provider
	have  map[string]int
	asked int
}

func (s *shelf) Fits(_ context.Context, types []hpc.InstanceType) error {
	s.asked++
	counts := map[string]int{}
	for _, t := range types {
		if counts[t.Name]++; counts[t.Name] > s.have[t.Name] {
			return fmt.Errorf("%w: there are %d of %s", provider.ErrNoCapacity, s.have[t.Name], t.Name)
		}
	}
	return nil
}

// settled is a plan that has room, without a store.
func (s *shelf) settled(t *testing.T, v *scaleView, now time.Time) []scaleStep {
	t.Helper()
	ctl := &Control{Options: Options{Provider: s}}
	steps, err := ctl.settleBeside(t.Context(), v, func() ([]hpc.InstanceType, error) { return nil, nil }, now)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func TestTheNextTypeIsTriedInTheSameRound(t *testing.T) {
	t.Parallel()
	v := scaleViewOf(0)
	v.Config.Checked = noon
	v.Own["workq"] = offering(named("small", "large")...)
	v.Config.Settings.GrowRatio = 50
	v.wait(24, waiting{Cores: 4})
	s := &shelf{have: map[string]int{"small": 3, "large": 9}}
	steps := s.settled(t, v, noon)
	// Three small ones hold three jobs, the others need six large ones; half of nine, rounded up.
	if got := summary(steps); got != "add 3, add 2 large" || v.Scarce["small"] == "" {
		t.Errorf("%s: %+v, scarce %v", got, steps, v.Scarce)
	}
	v.Own["workq"] = hpc.QueueScale{Grow: true, Types: named("small", "large"), ByInventory: true}
	if got := summary(s.settled(t, v, noon)); got != "add 3 large" {
		t.Errorf("by what there is: %s", got)
	}
}

// TestSeveralTypesStayInTheirLimitsAndComeToRest plays a cluster of which types
// come and go, and prices rise and fall.
func TestSeveralTypesStayInTheirLimitsAndComeToRest(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 17))
		w := &scaleWorld{t: t, v: scaleViewOf(rng.IntN(3)), rng: rng, now: noon}
		v, s := w.v, &shelf{have: map[string]int{}}
		v.Config.Settings.MaxNodes = 4 + rng.IntN(20)
		v.Config.Settings.ExtraRatio, v.Config.Settings.GrowRatio = rng.IntN(3)*20, 30+rng.IntN(71)
		set := offering(hpc.ScaleType{Name: "large", SpotStrategy: hpc.SpotWithPriceLimit, SpotPriceLimit: 0.5}, hpc.ScaleType{Name: "small"}, hpc.ScaleType{Name: "large"})
		rng.Shuffle(len(set.Types), func(i, j int) { set.Types[i], set.Types[j] = set.Types[j], set.Types[i] })
		set.MaxNodes, set.MinNodes, set.ByInventory = rng.IntN(2)*(4+rng.IntN(9)), rng.IntN(4), rng.IntN(3) == 0
		set.MaxPerCycle, set.MinPerCycle = rng.IntN(2)*(2+rng.IntN(5)), rng.IntN(3)
		v.Own["workq"] = set
		price := func() {
			v.Tariff.Spot = map[string][]hpc.SpotPrice{"large": {{Price: rng.Float64()}}}
		}
		play := func() string {
			v.Config.Resting = rested(v.Config.Resting, w.now)
			// What is there is not on the shelf any more.
			left := map[string]int{}
			for name, n := range s.have {
				left[name] = max(0, n-countOf(v, name))
			}
			steps := (&shelf{have: left}).settled(t, v, w.now)
			w.holdOffers(steps, left)
			w.do(steps)
			for name := range v.Scarce {
				v.Config.Resting[name] = v.restUntil(w.now)
			}
			return summary(slices.DeleteFunc(steps, func(s scaleStep) bool { return s.Act == countIdle || s.Act == addNone || s.Act == hinderJob }))
		}
		for range 50 {
			price()
			s.have["small"], s.have["large"] = rng.IntN(12), rng.IntN(6)
			v.Jobs, v.Waiting = nil, nil
			if rng.IntN(3) > 0 {
				v.wait(1+rng.IntN(30), waiting{Cores: 1 + rng.IntN(18), Nodes: 1 + rng.IntN(3), MemoryMB: rng.IntN(3) * 2048})
			}
			if rng.IntN(3) == 0 {
				v.wait(1+rng.IntN(9), waiting{Cores: 1 + rng.IntN(4), GPUs: rng.IntN(2)})
			}
			for _, n := range v.Nodes[1:] {
				if node := v.Sched[n.Hostname]; node.Reason == "" {
					node.CoresUsed, node.State = rng.IntN(2)*rng.IntN(5), scheduler.NodeIdle
					if node.CoresUsed > 0 {
						node.State = scheduler.NodeBusy
					}
					v.Sched[n.Hostname] = node
				}
			}
			play()
			w.now = w.now.Add(time.Duration(rng.IntN(300)) * time.Second)
		}
		moves := ""
		for i := range 60 { // from here on nothing changes
			if done := play(); i >= 40 {
				moves += done
			}
			w.now = w.now.Add(2 * time.Minute)
		}
		if moves != "" {
			t.Fatalf("seed %d: it does not come to rest: %s", seed, moves)
		}
	}
}

func countOf(v *scaleView, name string) (n int) {
	for _, node := range v.Nodes {
		if node.InstanceType.Name == name {
			n++
		}
	}
	return n
}

// holdOffers holds what is added to what there is, to prices and to rest.
func (w *scaleWorld) holdOffers(steps []scaleStep, left map[string]int) {
	added, all := map[string]int{}, 0
	for _, s := range steps {
		if s.Act != addNodes {
			continue
		}
		if s.Offer.Strategy == hpc.SpotWithPriceLimit && w.v.Tariff.SpotPrice(s.Offer.Name, w.now) > s.Offer.Limit {
			w.t.Fatalf("%d of %s are added at %v", s.Count, s.Offer, w.v.Tariff.SpotPrice(s.Offer.Name, w.now))
		}
		if w.now.Before(w.v.Config.Resting[s.Offer.Name]) {
			w.t.Fatalf("%d of %s are added, which rests", s.Count, s.Offer)
		}
		all += s.Count
		if added[s.Offer.Name] += s.Count; added[s.Offer.Name] > left[s.Offer.Name] {
			w.t.Fatalf("%d of %s are added, there are %d", added[s.Offer.Name], s.Offer.Name, left[s.Offer.Name])
		}
	}
	if most := w.v.Own["workq"].MaxPerCycle; most > 0 && all > most {
		w.t.Fatalf("a round adds %d, at most %d", all, most)
	}
}
