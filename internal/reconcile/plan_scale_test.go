package reconcile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

var (
	small = hpc.InstanceType{Name: "small", Cores: 4, MemoryMB: 8192, GPUs: 1, Price: 0.4}
	large = hpc.InstanceType{Name: "large", Cores: 16, MemoryMB: 65536, Price: 1.6}
)

var kinds = map[string]hpc.InstanceType{"small": small, "large": large}

// scaleViewOf is a cluster with one queue that may do anything.
func scaleViewOf(nodes int) *scaleView {
	set := hpc.DefaultScale
	set.Grow, set.Shrink = true, true
	v := &scaleView{Config: &store.ScaleConfig{Settings: set}, Queues: []*store.Queue{{Name: "workq"}}, Sched: map[string]scheduler.Node{},
		Quiet: map[string]bool{}, Own: map[string]hpc.QueueScale{}, Tariff: hpc.Tariff{Types: kinds}, Type: "small", Limit: 250, Minute: time.Minute}
	v.Config.Rounds, v.Config.Said, v.Config.Resting = map[string]time.Time{}, map[string]string{}, map[string]time.Time{}
	v.Nodes = []*store.Node{{ID: "m", Hostname: "manager", Roles: []hpc.Role{hpc.RoleManager}, Wanted: true, Status: hpc.NodeRunning}}
	v.more(nodes, hpc.NodeRunning)
	return v
}

// more adds nodes to the rows and, in service, to the scheduler.
func (v *scaleView) more(count int, status hpc.NodeStatus) { v.moreOf(small, count, status) }

func (v *scaleView) moreOf(kind hpc.InstanceType, count int, status hpc.NodeStatus) {
	for range count {
		name := fmt.Sprintf("compute%03d", len(v.Nodes))
		v.Nodes = append(v.Nodes, &store.Node{ID: "i-" + name, Hostname: name, Roles: []hpc.Role{hpc.RoleCompute}, Wanted: true,
			Queue: "workq", Status: status, CreateMode: store.Autoscale, InstanceType: kind})
		v.Sched[name] = scheduler.Node{Name: name, State: scheduler.NodeIdle, Cores: kind.Cores}
		v.Quiet["i-"+name] = true
	}
}

func (v *scaleView) wait(count int, w waiting) {
	w.Queue, w.Nodes = "workq", max(w.Nodes, 1)
	row := &store.Job{ID: fmt.Sprint(len(v.Jobs)), Queue: "workq"}
	v.Jobs = append(v.Jobs, row)
	v.Waiting = append(v.Waiting, crowd{w, count, []claim{{row, count}}})
}

func summary(steps []scaleStep) string {
	var words []string
	for _, s := range steps {
		switch {
		case s.Act == addNodes:
			word := fmt.Sprintf("add %d", s.Count)
			if s.Offer.Name != "small" || s.Offer.Strategy != hpc.NoSpot {
				word += " " + s.Offer.String()
			}
			words = append(words, word)
		case s.Node != nil:
			words = append(words, fmt.Sprintf("%s %s", s.Act, s.Node.Hostname))
		default:
			words = append(words, string(s.Act))
		}
	}
	return strings.Join(words, ", ")
}

func TestWhatAQueueGrowsBy(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	one := waiting{Cores: 1}
	for _, c := range []struct {
		name string
		set  func(v *scaleView)
		want string
	}{
		{"nothing waits", func(*scaleView) {}, ""},
		{"one job gets one node", func(v *scaleView) { v.wait(1, one) }, "add 1"},
		{"small jobs share nodes", func(v *scaleView) { v.wait(30, one) }, "add 8"},
		{"what is free is filled first", func(v *scaleView) { v.more(2, hpc.NodeRunning); v.wait(30, one) }, "add 6"},
		{"what is on its way counts", func(v *scaleView) { v.more(8, hpc.NodeInit); v.wait(30, one) }, ""},
		{"memory limits what shares a node", func(v *scaleView) { v.wait(10, waiting{Cores: 1, MemoryMB: 4096}) }, "add 5"},
		{"so do GPUs", func(v *scaleView) { v.wait(3, waiting{Cores: 1, GPUs: 1}) }, "add 3"},
		{"a job over several nodes gets them", func(v *scaleView) { v.wait(2, waiting{Nodes: 3, Cores: 3}) }, "add 6"},
		{"small ones fill what large ones leave", func(v *scaleView) { v.wait(2, waiting{Nodes: 3, Cores: 3}); v.wait(6, one) }, "add 6"},
		{"a job submitted on a node gets its cores", func(v *scaleView) { v.wait(1, waiting{Cores: 9, Spread: true}) }, "add 3"},
		{"one on nodes of its own gets whole ones", func(v *scaleView) { v.more(1, hpc.NodeRunning); v.wait(3, waiting{Cores: 1, Whole: true}) }, "add 2"},
		{"one that may be put on several nodes gets as many as its memory takes", func(v *scaleView) {
			v.wait(1, waiting{Cores: 3, MemoryMB: 3 * 5000, Spread: true})
		}, "add 3"},
		{"the percentage of the need", func(v *scaleView) { v.wait(10, waiting{Cores: 4}); v.Config.Settings.GrowRatio = 50 }, "add 5"},
		{"a percentage more", func(v *scaleView) {
			v.wait(100, waiting{Cores: 4})
			v.Config.Settings.ExtraRatio, v.Config.Settings.MaxNodes = 2, 200
		}, "add 102"},
		{"the cluster's maximum", func(v *scaleView) { v.more(3, hpc.NodeInit); v.wait(99, one); v.Config.Settings.MaxNodes = 5 }, "add 2"},
		{"the service's maximum", func(v *scaleView) { v.wait(99, one); v.Limit = 4 }, "add 3"},
		{"the queue's maximum", func(v *scaleView) { v.wait(99, one); v.Own["workq"] = hpc.QueueScale{Grow: true, MaxNodes: 2} }, "add 2"},
		{"a round's maximum", func(v *scaleView) { v.wait(99, one); v.Own["workq"] = hpc.QueueScale{Grow: true, MaxPerCycle: 6} }, "add 6"},
		{"fewer than a round's minimum", func(v *scaleView) {
			v.wait(99, one)
			v.Own["workq"] = hpc.QueueScale{Grow: true, MaxNodes: 2, MinPerCycle: 3}
		}, "add none"},
		{"the minimum left to the service", func(v *scaleView) {
			v.wait(99, one)
			v.Own["workq"] = hpc.QueueScale{Grow: true, MaxNodes: 2, MinPerCycle: 3, AutoMin: true}
		}, "add 2"},
		{"a need below a round's minimum", func(v *scaleView) { v.wait(1, one); v.Own["workq"] = hpc.QueueScale{Grow: true, MinPerCycle: 3} }, "add 1"},
		{"the queue's minimum", func(v *scaleView) { v.Own["workq"] = hpc.QueueScale{Grow: true, MinNodes: 3} }, "add 3"},
		{"growing is off", func(v *scaleView) { v.wait(9, one); v.Config.Settings.Grow = false }, ""},
		{"growing is off for the queue", func(v *scaleView) { v.wait(9, one); v.Own["workq"] = hpc.QueueScale{} }, ""},
		{"growing is on for the queue alone", func(v *scaleView) {
			v.wait(1, one)
			v.Config.Settings.Grow = false
			v.Own["workq"] = hpc.QueueScale{Grow: true}
		}, "add 1"},
		{"the last round was just now", func(v *scaleView) { v.wait(9, one); v.Config.Rounds["workq"] = now.Add(-119 * time.Second) }, ""},
		{"the last round was long ago", func(v *scaleView) { v.wait(1, one); v.Config.Rounds["workq"] = now.Add(-120 * time.Second) }, "add 1"},
		{"a job that is too large", func(v *scaleView) { v.wait(1, waiting{Cores: 5}) }, "tell the owner"},
		{"a job of too many nodes", func(v *scaleView) { v.wait(1, waiting{Nodes: 9, Cores: 1}); v.Config.Settings.MaxNodes = 8 }, "tell the owner"},
		{"one that keeps no other from a round with a minimum", func(v *scaleView) {
			v.wait(1, waiting{Nodes: 9, Cores: 1})
			v.wait(1, one)
			v.Own["workq"] = hpc.QueueScale{Grow: true, MaxNodes: 8, MinPerCycle: 2}
		}, "add 1, tell the owner"},
		{"a type that is not there any more", func(v *scaleView) { v.wait(1, one); v.Type = "gone" }, "tell the owner"},
		{"a drained node is no room", func(v *scaleView) {
			v.more(1, hpc.NodeRunning)
			v.Sched["compute001"] = scheduler.Node{State: scheduler.NodeDrained, Reason: "broken"}
			v.wait(1, one)
		}, "add 1"},
		{"a node that was to go is kept", func(v *scaleView) {
			v.more(1, hpc.NodeRunning)
			v.Sched["compute001"] = scheduler.Node{State: scheduler.NodeDrained, Reason: idleReason}
			v.wait(1, one)
		}, "keep compute001"},
		{"a node that is being deleted is no room, and counts until it is gone", func(v *scaleView) {
			v.more(1, hpc.NodeReleasing)
			v.Nodes[1].Wanted = false
			v.wait(9, one)
			v.Config.Settings.MaxNodes = 2
		}, "add 1"},
		{"a node that starts too slowly", func(v *scaleView) {
			v.more(1, hpc.NodeInit)
			v.Nodes[1].Awaited = now.Add(-20 * time.Minute)
			v.wait(1, one)
		}, "reset compute001"},
		{"a node that does so again", func(v *scaleView) {
			v.more(1, hpc.NodeException)
			v.Nodes[1].Awaited, v.Nodes[1].Resets = now.Add(-20*time.Minute), 1
			v.wait(1, one)
		}, "give up compute001, add 1"},
		{"a node that may start for a second more", func(v *scaleView) {
			v.more(1, hpc.NodeInit)
			v.Nodes[1].Awaited = now.Add(-20*time.Minute + time.Second)
			v.wait(1, one)
		}, ""},
		{"a node out of service with a job", func(v *scaleView) {
			v.more(1, hpc.NodeException)
			v.Nodes[1].Awaited = now.Add(-time.Hour)
			v.Sched["compute001"] = scheduler.Node{State: scheduler.NodeBusy, CoresUsed: 4}
		}, ""},
		{"a node that somebody added by hand and that does not start", func(v *scaleView) {
			v.more(1, hpc.NodeException)
			v.Nodes[1].Awaited, v.Nodes[1].CreateMode = now.Add(-time.Hour), "manual"
			v.wait(1, one)
		}, "add 1"},
		{"the scheduler does not answer", func(v *scaleView) { v.wait(9, one); v.Sched = nil }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := scaleViewOf(0)
			v.Config.Checked = now // no idle node is counted
			c.set(v)
			steps := planScale(now, v)
			if got := summary(steps); got != c.want {
				t.Errorf("%q, want %q: %+v", got, c.want, steps)
			}
			for _, s := range steps {
				if s.Reason == "" {
					t.Errorf("%s has no reason", s.Act)
				}
			}
		})
	}
}

func TestAnObservationThatFailedCountsAsBusy(t *testing.T) {
	t.Parallel()
	v := scaleViewOf(1)
	v.Nodes[1].Idle = 2
	v.Sched = nil
	steps := planScale(time.Unix(1_000_000, 0), v)
	if len(steps) != 1 || steps[0].Act != countIdle || steps[0].Count != 0 {
		t.Errorf("%+v", steps)
	}
}

func TestADrainedNodeIsSaidToStayForThat(t *testing.T) {
	t.Parallel()
	v := scaleViewOf(1)
	v.Explain = true
	v.Sched["compute001"] = scheduler.Node{State: scheduler.NodeDrained, Reason: "broken fan"}
	steps := planScale(time.Unix(1_000_000, 0), v)
	if !slices.ContainsFunc(steps, func(s scaleStep) bool { return s.Act == leaveNode && s.Reason == "it is drained: broken fan" }) {
		t.Errorf("%+v", steps)
	}
}

func TestWhatWasToldIsNotRepeated(t *testing.T) {
	t.Parallel()
	v := scaleViewOf(2)
	v.Config.Settings.MaxNodes = 2
	v.wait(99, waiting{Cores: 4})
	now := time.Unix(1_000_000, 0)
	v.Config.Checked = now
	steps := planScale(now, v)
	if len(steps) != 1 || steps[0].Act != addNone || !strings.Contains(steps[0].Reason, "2 of at most 2 compute nodes") {
		t.Fatalf("%+v", steps)
	}
	v.Config.Said["workq"] = steps[0].Limit
	v.Waiting[0].Count++
	if steps := planScale(now, v); len(steps) != 0 {
		t.Errorf("%+v", steps)
	}
	v.Waiting = nil
	if steps := planScale(now, v); len(steps) != 1 || steps[0].Act != addNone || steps[0].Reason != "" {
		t.Errorf("that it is over is not noted, so that it would not be told the next time: %+v", steps)
	}
}

// scaleWorld is a cluster that planScale runs, with jobs that come and go.
type scaleWorld struct {
	t   *testing.T
	v   *scaleView
	rng *rand.Rand
	now time.Time
}

// do carries out a plan and holds it to what must never be.
func (w *scaleWorld) do(steps []scaleStep) {
	v, set := w.v, w.v.Config.Settings
	for _, s := range steps {
		if s.Node != nil && (s.Act == drainIdle || s.Act == releaseIdle) {
			n := v.Sched[s.Node.Hostname]
			if n.CoresUsed > 0 || !v.Quiet[s.Node.ID] || slices.Contains(set.Excluded(), s.Node.Hostname) || n.Reason == "broken" {
				w.t.Fatalf("%s of %s, which is %+v: %s", s.Act, s.Node.Hostname, n, s.Reason)
			}
		}
		switch s.Act {
		case addNodes:
			v.moreOf(s.Offer.InstanceType, s.Count, hpc.NodeRunning)
			v.Config.Rounds[s.Queue] = w.now
			if n := len(v.Nodes) - 1; n > set.MaxNodes || v.Own["workq"].MaxNodes > 0 && n > v.Own["workq"].MaxNodes {
				w.t.Fatalf("%d nodes, at most %d and %d", n, set.MaxNodes, v.Own["workq"].MaxNodes)
			}
		case addNone:
			v.Config.Said[s.Queue] = s.Limit
		case countIdle:
			s.Node.Idle = s.Count
		case drainIdle:
			n := v.Sched[s.Node.Hostname]
			n.State, n.Reason = scheduler.NodeDrained, idleReason
			v.Sched[s.Node.Hostname] = n
		case keepNode:
			n := v.Sched[s.Node.Hostname]
			n.State, n.Reason = scheduler.NodeIdle, ""
			v.Sched[s.Node.Hostname], s.Node.Idle = n, 0
		case releaseIdle:
			v.Nodes = slices.DeleteFunc(v.Nodes, func(n *store.Node) bool { return n == s.Node })
			delete(v.Sched, s.Node.Hostname)
			if n := len(v.Nodes) - 1; n < v.Own["workq"].MinNodes {
				w.t.Fatalf("%d nodes, at least %d", n, v.Own["workq"].MinNodes)
			}
		case hinderJob:
			s.Job.Hindrance = s.Reason
		}
	}
	if w.v.checkDue(w.now) {
		w.v.Config.Checked = w.now
	}
}

func TestAClusterIsNeverOutOfItsLimitsAndComesToRest(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 9))
		w := &scaleWorld{t: t, v: scaleViewOf(rng.IntN(4)), rng: rng, now: time.Unix(1_000_000, 0)}
		v := w.v
		v.Config.Settings.MaxNodes = 4 + rng.IntN(20)
		v.Config.Settings.ExtraRatio, v.Config.Settings.GrowRatio = rng.IntN(3)*20, 30+rng.IntN(71)
		v.Own["workq"] = hpc.QueueScale{Grow: true, Shrink: true, MaxNodes: rng.IntN(2) * (4 + rng.IntN(9)), MinNodes: rng.IntN(4)}
		v.Config.Settings.Exclude = "compute001"
		for range 60 {
			v.Jobs, v.Waiting = nil, nil
			if rng.IntN(3) > 0 {
				v.wait(1+rng.IntN(40), waiting{Cores: 1 + rng.IntN(5), Nodes: 1 + rng.IntN(3), MemoryMB: rng.IntN(3) * 2048})
			}
			for _, n := range v.Nodes[1:] {
				s := v.Sched[n.Hostname]
				v.Quiet[n.ID] = rng.IntN(8) > 0
				if s.Reason == "" {
					s.CoresUsed, s.State = rng.IntN(2)*rng.IntN(5), scheduler.NodeIdle
					if s.CoresUsed > 0 {
						s.State = scheduler.NodeBusy
					} else if rng.IntN(30) == 0 {
						s.State, s.Reason = scheduler.NodeDrained, "broken"
					}
				}
				v.Sched[n.Hostname] = s
			}
			w.do(planScale(w.now, v))
			w.now = w.now.Add(time.Duration(rng.IntN(200)) * time.Second)
		}
		// From here on the queue is constant, and nobody does anything.
		for _, n := range v.Nodes[1:] {
			v.Quiet[n.ID] = true
		}
		moves := ""
		for i := range 40 {
			steps := planScale(w.now, v)
			if i >= 20 {
				moves += summary(slices.DeleteFunc(slices.Clone(steps), func(s scaleStep) bool { return s.Act == countIdle }))
			}
			w.do(steps)
			w.now = w.now.Add(2 * time.Minute)
		}
		if moves != "" {
			t.Fatalf("seed %d: it does not come to rest: %s", seed, moves)
		}
	}
}

func TestAConstantQueueIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 11))
		w := &scaleWorld{t: t, v: scaleViewOf(0), rng: rng, now: time.Unix(1_000_000, 0)}
		w.v.Config.Settings.ExtraRatio, w.v.Config.Settings.MaxNodes = rng.IntN(100), 240
		w.v.Limit = 500
		w.v.wait(1+rng.IntN(60), waiting{Cores: 1 + rng.IntN(4), Nodes: 1 + rng.IntN(3), MemoryMB: rng.IntN(3) * 2048})
		w.do(planScale(w.now, w.v))
		w.now = w.now.Add(time.Hour)
		w.v.Config.Checked = w.now
		if again := planScale(w.now, w.v); len(again) != 0 {
			t.Fatalf("seed %d: %s", seed, summary(again))
		}
	}
}

func TestTheWaitingJobsOfAScheduler(t *testing.T) {
	t.Parallel()
	pending := func(id, reason string) scheduler.Job {
		return scheduler.Job{ID: id, State: hpc.JobPending, Reason: reason, Queue: "workq", Cores: 2}
	}
	array := pending("7", "Resources")
	array.Array = "7"
	task := scheduler.Job{ID: "7_1", Array: "7", Task: "1", State: hpc.JobRunning, Queue: "workq"}
	// Submitted on a node: what the scheduler tells of it is all that is known.
	many, few, none := pending("11", "Resources"), pending("12", "Resources"), pending("13", "Priority")
	many.Array, many.Tasks, many.Cores = "11", 40, 7
	few.Array, few.Tasks, few.AtOnce, few.Cores = "12", 40, 3, 8
	none.Array, none.Tasks, none.AtOnce = "13", 40, 1
	fewRuns := scheduler.Job{ID: "12_1", Array: "12", Task: "1", State: hpc.JobRunning, Queue: "workq"}
	noneRuns := scheduler.Job{ID: "13_1", Array: "13", Task: "1", State: hpc.JobRunning, Queue: "workq"}
	held := pending("8", "JobHeldUser")
	held.Held = true
	byHand := pending("9", "Resources")
	byHand.Asks = scheduler.Ask{Nodes: 3, Cores: 7, MemoryMB: 100, GPUs: 3, Whole: true}
	rows := []*store.Job{
		{SchedID: "1", Token: "a", Wanted: true, Spec: hpc.JobSpec{Nodes: 2, Tasks: 3, Threads: 2, MemoryMB: 100, GPUs: 1}},
		{SchedID: "2", Token: "b"},
		{SchedID: "7", Token: "c", Wanted: true, Ends: 2, Spec: hpc.JobSpec{Array: "1-10"}},
	}
	got := waitingJobs(rows, scheduler.Observation{
		Queue: []scheduler.Job{byHand, pending("1", "Resources"), pending("2", "Resources"), pending("3", "Priority"), pending("4", "Dependency"), held, array, task,
			many, few, fewRuns, none, noneRuns},
		Ends: []scheduler.Job{{ID: "7_2", Array: "7", Task: "2"}},
	}, nil)
	want := []crowd{
		{waiting{Queue: "workq", Nodes: 3, Cores: 3, MemoryMB: 34, GPUs: 1, Whole: true}, 1, nil},
		{waiting{Queue: "workq", Nodes: 2, Cores: 6, MemoryMB: 100, GPUs: 1}, 1, nil},
		{waiting{Queue: "workq", Nodes: 1, Cores: 8, Spread: true}, 2, nil},
		{waiting{Queue: "workq", Nodes: 1, Cores: 7, Spread: true}, 40, nil},
		{waiting{Queue: "workq", Nodes: 1, Cores: 2, Spread: true}, 1, nil},
		{waiting{Queue: "workq", Nodes: 1, Cores: 1}, 6, nil},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i].waiting != want[i].waiting || got[i].Count != want[i].Count {
			t.Errorf("%d: %+v, want %+v", i, got[i], want[i])
		}
	}
}
