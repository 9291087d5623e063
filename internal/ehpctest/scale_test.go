package ehpctest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
)

// added are the hosts of a cluster's compute nodes that were made because
// jobs waited.
func (p *Plane) added(t *testing.T, id string) (hosts []string) {
	t.Helper()
	for _, n := range p.rows(t, id) {
		if n.CreateMode == store.Autoscale {
			hosts = append(hosts, n.Hostname)
		}
	}
	return hosts
}

func (p *Plane) rows(t *testing.T, id string) []*store.Node {
	t.Helper()
	nodes, err := p.Store.Read().Nodes(t.Context(), id)
	must(t, err)
	return nodes
}

// lookedAt waits until the cluster's nodes were looked at so many times more.
func (p *Plane) lookedAt(t *testing.T, id string, times int) {
	t.Helper()
	var last time.Time
	p.Until(t, "its nodes are looked at", func() bool {
		c, _, err := p.Store.Read().Scale(t.Context(), id)
		must(t, err)
		if c.Checked.After(last) {
			last, times = c.Checked, times-1
		}
		return times < 0 // the first was before
	})
}

func scaled(t *testing.T, computes int, last time.Duration) (w *World, p *Plane, id string) {
	t.Helper()
	w = NewWorld(provfake.Options{})
	p = Start(t, w, Options{})
	id = withAccount(t, w, p, computes)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: last} })
	return w, p, id
}

func TestAClusterGrowsWithItsQueueAndShrinksAgain(t *testing.T) {
	t.Parallel()
	_, p, id := scaled(t, 0, 300*time.Millisecond)
	var ids []string
	for range 30 {
		ids = append(ids, p.submit(t, job(id, "./run.sh")))
	}
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoGrow", "true", "EnableAutoShrink", "true", "MaxNodesInCluster", "4", "ShrinkIdleTimes", "2"))
	most := 0
	p.Until(t, "it has grown to its maximum", func() bool {
		most = max(most, len(p.added(t, id)))
		return most >= 4
	})
	for _, one := range ids {
		p.untilState(t, id, one, "COMPLETED")
		if n := len(p.added(t, id)); n > 4 {
			t.Fatalf("it has %d nodes", n)
		}
	}
	p.Until(t, "it is back to none", func() bool { return len(p.added(t, id)) == 0 })
	for _, words := range [][]string{{"added to queue workq", "waiting jobs: ", "nodes of the queue: 0"}, {"is drained", "idle at 2 checks"}, {"is released", "after it was drained"}} {
		if !p.told(t, id, words...) {
			t.Errorf("the cluster's log does not tell that a node %q", words)
		}
	}
}

func TestAMaximumBelowWhatRunsKillsNothingAndGrowsNothing(t *testing.T) {
	t.Parallel()
	_, p, id := scaled(t, 3, time.Hour)
	var run []string
	for range 3 {
		q := job(id, "./run.sh")
		q.Thread = new(2)
		run = append(run, p.submit(t, q))
	}
	for _, one := range run {
		p.untilState(t, id, one, "RUNNING")
	}
	before := p.rows(t, id)
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoGrow", "true", "EnableAutoShrink", "true", "MaxNodesInCluster", "1"))
	waits := p.submit(t, job(id, "./run.sh"))
	p.Until(t, "the log tells why it does not grow", func() bool {
		return p.told(t, id, "nothing is added to queue workq", "the cluster has 3 of at most 1 compute nodes")
	})
	p.lookedAt(t, id, 3)
	for _, n := range p.rows(t, id) {
		if n.Status != hpc.NodeRunning || !n.Wanted || !slices.ContainsFunc(before, func(b *store.Node) bool { return b.ID == n.ID }) {
			t.Errorf("%s (%s) is %s", n.Hostname, n.ID, n.Status)
		}
	}
	if n := len(p.rows(t, id)); n != len(before) {
		t.Errorf("there are %d nodes, were %d", n, len(before))
	}
	for _, j := range p.jobs(t, id) {
		if want := map[bool]string{true: "PENDING", false: "RUNNING"}[j.Id == waits]; j.State != want {
			t.Errorf("job %s is %s, want %s", j.Id, j.State, want)
		}
	}
}

func TestAnArrayGetsANodeForEachOfItsTasks(t *testing.T) {
	t.Parallel()
	_, p, id := scaled(t, 1, time.Hour)
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoGrow", "true"))
	q := job(id, "./run.sh")
	q.ArrayRequest, q.Thread = "1-5", new(2)
	p.submit(t, q)
	p.Until(t, "four nodes are added beside the one", func() bool { return len(p.added(t, id)) == 4 })
	p.lookedAt(t, id, 2)
	if n := len(p.added(t, id)); n != 4 {
		t.Errorf("%d nodes were added", n)
	}
}

func TestAJobThatNeverFitsIsToldSo(t *testing.T) {
	t.Parallel()
	_, p, id := scaled(t, 0, time.Hour)
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoGrow", "true", "MaxNodesInCluster", "3"))
	large, wide := job(id, "./run.sh"), job(id, "./run.sh")
	large.Thread, wide.Node = new(64), new(9)
	for one, says := range map[string]string{p.submit(t, large): "64 cores on a node", p.submit(t, wide): "9 nodes, queue workq grows to 3 at most"} {
		p.Until(t, "its comment says why it waits", func() bool {
			for _, j := range p.jobs(t, id) {
				if j.Id == one {
					return strings.Contains(j.Comment, "no node is added for it: it asks for "+says)
				}
			}
			return false
		})
	}
	if n := len(p.added(t, id)); n != 0 {
		t.Errorf("%d nodes were added", n)
	}
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoGrow", "true", "MaxNodesInCluster", "10", "Queues.1.QueueName", "workq", "Queues.1.EnableAutoGrow", "true", "Queues.1.InstanceType", "ecs.scch5.16xlarge"))
	p.Until(t, "with larger nodes and more of them both run", func() bool {
		for _, j := range p.jobs(t, id) {
			if j.State != "RUNNING" {
				return false
			}
		}
		return true
	})
}

func TestNodesThatAreNotIdleForSureStay(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 5, time.Hour)
	p.submit(t, job(id, "./run.sh"))
	agents := map[string]*Agent{}
	for _, n := range p.Nodes(t, id) {
		agents[n.HostName] = w.Agent(n.Id)
	}
	var busy string
	p.Until(t, "the job runs", func() bool { return w.runsOn(t, id, &busy) })
	free := slices.DeleteFunc(p.inQueue(t, id, "workq"), func(host string) bool { return host == busy })
	visited, broken, excluded := free[0], free[1], free[2]
	agents[visited].LogIn(1)
	must(t, w.SchedulerOf(id).Drain(t.Context(), broken, "its fan is broken"))
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoShrink", "true", "ShrinkIdleTimes", "2", "ExcludeNodes", excluded))
	left := func(want ...string) bool {
		slices.Sort(want)
		return slices.Equal(p.inQueue(t, id, "workq"), want)
	}
	p.Until(t, "the idle one is gone", func() bool { return left(busy, visited, broken, excluded) })
	p.lookedAt(t, id, 4)
	if !left(busy, visited, broken, excluded) {
		t.Errorf("left are %v", p.inQueue(t, id, "workq"))
	}
	agents[visited].LogIn(0)
	p.Until(t, "so is the one whose person has gone", func() bool { return left(busy, broken, excluded) })
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoShrink", "true", "ShrinkIdleTimes", "2",
		"Queues.1.QueueName", "workq", "Queues.1.EnableAutoShrink", "true", "Queues.1.MinNodesInQueue", "3"))
	p.lookedAt(t, id, 4)
	if !left(busy, broken, excluded) {
		t.Errorf("of three at least, left are %v", p.inQueue(t, id, "workq"))
	}
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoShrink", "true", "ShrinkIdleTimes", "2"))
	p.Until(t, "the one that is named no more is gone", func() bool { return left(busy, broken) })
}

func TestANodeOnItsWayOutComesBackWhenShrinkingIsSwitchedOff(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 1, time.Hour)
	sched := w.SchedulerOf(id)
	raw := func() string {
		nodes, err := sched.Nodes(t.Context())
		must(t, err)
		return nodes[0].Raw
	}
	must(t, p.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error { // as a service leaves it that is killed between drain and release
		must(t, tx.NoteIdle(ctx, p.rows(t, id)[2], 2))
		return tx.SetScale(ctx, &store.ScaleConfig{ClusterID: id, Settings: hpc.DefaultScale}, nil)
	}))
	must(t, sched.Drain(t.Context(), "compute000", "ehpc: idle, it is to be released"))
	p.Until(t, "it is in service again", func() bool { return raw() == "idle" })
	if !p.told(t, id, "compute000", "is kept", "does not shrink any more") {
		t.Error("the log does not tell of it")
	}
}

// runsOn finds the node of the only job that runs.
func (w *World) runsOn(t *testing.T, id string, host *string) bool {
	t.Helper()
	seen, err := w.SchedulerOf(id).Observe(t.Context(), "")
	must(t, err)
	for _, j := range seen.Queue {
		if j.State == hpc.JobRunning {
			*host = j.Nodes[0]
			return true
		}
	}
	return false
}

func TestANodeThatDoesNotStartIsResetOnceAndThenReplaced(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 0, time.Hour)
	var first string
	w.Machines.Hook(func(s provfake.Step) error {
		if s.Op != provfake.Create {
			return nil
		}
		if first == "" {
			first = s.ID
		}
		if first == s.ID {
			return errors.New("it is broken")
		}
		return nil
	})
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoGrow", "true", "GrowTimeoutInMinutes", "10"))
	one := p.submit(t, job(id, "./run.sh"))
	p.Until(t, "the first node is given up", func() bool { return p.told(t, id, "compute000", "given up") })
	if !p.told(t, id, "compute000", "reset") {
		t.Error("it was not reset before")
	}
	p.untilState(t, id, one, "RUNNING")
}

func TestAServiceThatIsFullAddsWhatFits(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{Cores: 2 + 1 + 2*2}) // a manager, a login node and two of the compute nodes
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 0)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: time.Hour} })
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoGrow", "true"))
	q := job(id, "./run.sh")
	q.ArrayRequest, q.Thread = "1-5", new(2)
	p.submit(t, q)
	p.Until(t, "two are added, and why not more is told", func() bool {
		return len(p.added(t, id)) == 2 && p.told(t, id, "nothing is added to queue workq", "capacity")
	})
}
