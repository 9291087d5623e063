package ehpctest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/config"
	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
)

// kinds counts the nodes that were added, by instance type.
func (p *Plane) kinds(t *testing.T, id string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, n := range p.rows(t, id) {
		if n.CreateMode == store.Autoscale && n.Wanted {
			counts[n.InstanceType.Name]++
		}
	}
	return counts
}

func (p *Plane) comment(t *testing.T, id, job string) string {
	t.Helper()
	for _, j := range p.jobs(t, id) {
		if j.Id == job {
			return j.Comment
		}
	}
	return ""
}

// growBy has a queue grow by these types.
func (p *Plane) growBy(t *testing.T, id, types string, more ...string) {
	t.Helper()
	must(t, call(t, p, "SetAutoScaleConfig", append([]string{"ClusterId", id, "Queues.1.QueueName", "workq", "Queues.1.EnableAutoGrow", "true", "Queues.1.InstanceTypes", types}, more...)...))
}

func wideArray(id string, tasks int) *api.SubmitJobRequest {
	q := job(id, "./run.sh")
	q.ArrayRequest, q.Thread = fmt.Sprintf("1-%d", tasks), new(2)
	return q
}

func TestTheNextTypeIsTriedInTheSameRound(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 0, time.Hour)
	w.Machines.Stock("ecs.c5.large", 1)
	w.Machines.Stock("ecs.c6.large", 1)
	p.growBy(t, id, "ecs.c5.large,ecs.c6.large,ecs.c7.large", "GrowIntervalInMinutes", "10")
	p.submit(t, wideArray(id, 4))
	p.Until(t, "nodes of three types are added", func() bool { return len(p.added(t, id)) == 4 })
	if got := p.kinds(t, id); got["ecs.c5.large"] != 1 || got["ecs.c6.large"] != 1 || got["ecs.c7.large"] != 2 {
		t.Errorf("added were %v", got)
	}
	var times []time.Time
	for _, n := range p.rows(t, id) {
		if n.CreateMode == store.Autoscale {
			times = append(times, n.Created.Truncate(10*time.Millisecond))
		}
	}
	if len(slices.Compact(times)) > 2 { // of one round, at the edge of a hundredth at worst
		t.Errorf("they were added at %v", times)
	}
	for _, words := range [][]string{{"1 nodes of type ecs.c5.large", "no capacity for ecs.c5.large until"}, {"instance type ecs.c6.large is left alone until", "there are 1 of ecs.c6.large in all"}} {
		if !p.told(t, id, words...) {
			t.Errorf("the log does not tell %q", words)
		}
	}
}

func TestATypeWithoutCapacityIsLeftAloneForTenMinutes(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 0, time.Hour)
	w.Machines.Stock("ecs.c5.large", 0)
	p.growBy(t, id, "ecs.c5.large")
	one := p.submit(t, job(id, "./run.sh"))
	p.Until(t, "its comment says why it waits", func() bool {
		return strings.Contains(p.comment(t, id, one), "no node is added for it: no capacity for ecs.c5.large until ")
	})
	c, _, err := p.Store.Read().Scale(t.Context(), id)
	must(t, err)
	until := c.Resting["ecs.c5.large"]
	if rest := time.Until(until); rest > 10*limits.Minute || rest < 4*limits.Minute {
		t.Errorf("it is left alone for %s", rest)
	}
	p.Kill()
	w.Machines.Stock("ecs.c5.large", 9)
	p = Start(t, w, Options{Dir: p.dir})
	p.Until(t, "it is tried again", func() bool { return len(p.added(t, id)) == 1 })
	for _, n := range p.rows(t, id) {
		if n.CreateMode == store.Autoscale && n.Created.Before(until) {
			t.Errorf("a node was added %s too early", until.Sub(n.Created))
		}
	}
	p.untilState(t, id, one, "RUNNING")
	if got := p.comment(t, id, one); strings.Contains(got, "capacity") {
		t.Errorf("its comment is still %q", got)
	}
}

func TestTheTextOfAJobGoesWithItsReason(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 0, time.Hour)
	w.Machines.Stock("ecs.c5.large", 0)
	p.growBy(t, id, "ecs.c5.large")
	one := p.submit(t, job(id, "./run.sh"))
	p.Until(t, "its comment says why it waits", func() bool { return strings.Contains(p.comment(t, id, one), "no capacity for ecs.c5.large") })
	w.HoldScripts(true)
	p.growBy(t, id, "ecs.c5.large,ecs.c6.large")
	p.Until(t, "a node of another type is added", func() bool { return p.kinds(t, id)["ecs.c6.large"] == 1 })
	p.Until(t, "its comment says so no more", func() bool { return !strings.Contains(p.comment(t, id, one), "capacity") })
}

func TestANodeThatThereIsNoMachineForIsGivenUpAtOnce(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 0, time.Hour)
	w.Machines.Hook(func(s provfake.Step) error {
		if s.Op != provfake.Create || s.Point != provfake.Before {
			return nil
		}
		for _, n := range p.rows(t, id) {
			if n.ID == s.ID && n.InstanceType.Name == "ecs.c5.large" {
				return fmt.Errorf("%w: sold out", provider.ErrNoCapacity)
			}
		}
		return nil
	})
	p.growBy(t, id, "ecs.c5.large,ecs.c6.large", "GrowIntervalInMinutes", "10", "GrowTimeoutInMinutes", "60")
	begun := time.Now()
	one := p.submit(t, job(id, "./run.sh"))
	p.untilState(t, id, one, "RUNNING")
	if took := time.Since(begun); took > 60*limits.Minute {
		t.Errorf("it took %s, as long as a node may take to start", took)
	}
	if got := p.kinds(t, id); got["ecs.c6.large"] != 1 || got["ecs.c5.large"] != 0 {
		t.Errorf("there are %v", got)
	}
	for _, words := range [][]string{{"compute000", "is given up", "no capacity"}, {"instance type ecs.c5.large is left alone until", "sold out"}} {
		if !p.told(t, id, words...) {
			t.Errorf("the log does not tell %q", words)
		}
	}
	if p.told(t, id, "reset") || p.told(t, id, "exception") {
		t.Error("it was tried again before")
	}
}

func TestANodeOfAQueueThatDoesNotGrowIsNotGivenUp(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 0, time.Hour)
	w.Machines.Hook(func(s provfake.Step) error {
		if s.Op == provfake.Create && s.Point == provfake.Before {
			return fmt.Errorf("%w: sold out", provider.ErrNoCapacity)
		}
		return nil
	})
	p.growBy(t, id, "ecs.c5.large", "ExcludeNodes", "compute000")
	p.submit(t, job(id, "./run.sh"))
	p.Until(t, "the node that is named is tried again", func() bool {
		rows := p.rows(t, id)
		return len(rows) > 2 && rows[2].Attempts > 2
	})
	if p.told(t, id, "is given up") {
		t.Error("a node that ExcludeNodes names was given up")
	}
}

func TestPreemptibleNodesAreAddedWhileTheyAreCheap(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	rise := time.Now().Add(1500 * time.Millisecond)
	p := Start(t, w, Options{Config: func(c *config.Config) {
		c.SpotPrices = map[string][]hpc.SpotPrice{"ecs.c5.large": {{From: rise.Add(-time.Hour), Price: 0.3}, {From: rise, Price: 0.1}}}
	}})
	id := withAccount(t, w, p, 0)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: time.Hour} })
	p.growBy(t, id, "ecs.c5.large", "Queues.1.SpotStrategy", "SpotWithPriceLimit", "Queues.1.SpotPriceLimit", "0.2")
	one := p.submit(t, job(id, "./run.sh"))
	p.Until(t, "its comment tells of the price", func() bool {
		return time.Now().After(rise) || strings.Contains(p.comment(t, id, one), "the spot price of ecs.c5.large is 0.3, over the limit of 0.2")
	})
	p.untilState(t, id, one, "RUNNING")
	row := p.rows(t, id)[2]
	if row.Created.Before(rise) || row.SpotStrategy != hpc.SpotWithPriceLimit || row.SpotPriceLimit != 0.2 {
		t.Errorf("its node is %+v", row)
	}
	for _, n := range p.Nodes(t, id) {
		if want := map[bool]string{true: "SpotWithPriceLimit", false: "NoSpot"}[n.HostName == "compute000"]; n.SpotStrategy != want {
			t.Errorf("%s is shown with %s", n.HostName, n.SpotStrategy)
		}
	}
}
