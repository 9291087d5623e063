package ehpctest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ehpc/api"
	"ehpc/internal/config"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/reconcile"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
)

// A day of a cluster that grows and shrinks, by the clock of the bubble.
const (
	dayJobs     = 2000
	dayBursts   = 16
	dayMaxNodes = 40
	dayWide     = 8 // the most that queue wide has
	daySeed     = 20181204
)

// dayTotals are what the day comes to. They change when what the loops decide
// changes; a test that fails prints the new ones.
const dayTotals = `
jobs: COMPLETED 1883, FAILED 83, NODE_FAIL 6, TIMEOUT 28
requeued: 29
faults: died 16, reclaimed with notice 15, reclaimed without notice 16, went silent 15
machines made: 359
most nodes at a time: 40
log: are added to queue 57, is drained 314, is given up 4, is kept 3, is released 310, is reset 16
node hours: 454.10
cost: nodes 134.17, of which jobs 93.90
`

// dayLimits are those outside tests, but for longer pauses between passes: a
// day of them takes half a minute of a core, and it is the decisions that count.
func dayLimits() reconcile.Limits {
	l := reconcile.DefaultLimits
	l.Every, l.Lease = 5*time.Minute, 15*time.Minute
	return l
}

// day is a simulation under way.
type day struct {
	t      *testing.T
	w      *World
	p      *Plane
	id     string
	random *rand.Rand
	begun  time.Time
	events []event

	mu     sync.Mutex
	ended  map[string]int // runs that came to their end, by token and task
	made   int            // machines of compute nodes
	most   int            // of them at a time
	faults map[string]int // of machines, by kind
}

// event is something that happens from outside. No two happen at one moment,
// nor together with a pass.
type event struct {
	at time.Duration
	do func()
}

func TestADayComesToItsTotals(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds of both cores")
	}
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := startDay(t)
		d.plan()
		d.live(24 * time.Hour)
		d.end()
		if got := d.totals(); got != strings.TrimSpace(dayTotals) {
			t.Errorf("the day comes to\n%s", got)
		}
	})
}

func startDay(t *testing.T) *day {
	d := &day{t: t, random: rand.New(rand.NewPCG(daySeed, 0)), begun: time.Now(), ended: map[string]int{}, faults: map[string]int{}}
	d.w = NewWorld(provfake.Options{})
	d.p = Start(t, d.w, Options{Engine: sqlite, Limits: dayLimits(), InTurn: synctest.Wait, Config: func(c *config.Config) {
		c.SpotPrices = map[string][]hpc.SpotPrice{"ecs.c6.large": {{From: d.begun, Price: 0.1}, {From: d.begun.Add(9 * time.Hour), Price: 0.25}, {From: d.begun.Add(18 * time.Hour), Price: 0.05}}}
	}})
	d.id = d.p.Ask(t, 0)
	d.until("the cluster runs", time.Hour, func() bool { return d.p.Describe(t, d.id).Status == "running" })
	for _, name := range []string{"lovelace", "turing", "hopper"} {
		must(t, d.p.Do(t.Context(), &api.AddUsersRequest{ClusterId: d.id, User: []api.AddUsersRequestUser{{Name: name, Group: "users", Password: password}}}, nil))
	}
	for _, queue := range []string{"night", "wide"} {
		must(t, call(t, d.p, "AddQueue", "ClusterId", d.id, "QueueName", queue))
	}
	must(t, call(t, d.p, "SetAutoScaleConfig", "ClusterId", d.id, "EnableAutoGrow", "true", "EnableAutoShrink", "true",
		"MaxNodesInCluster", fmt.Sprint(dayMaxNodes), "ShrinkIdleTimes", "3", "ExtraNodesGrowRatio", "2",
		"Queues.1.QueueName", "night", "Queues.1.EnableAutoGrow", "true", "Queues.1.EnableAutoShrink", "true",
		"Queues.1.InstanceTypes", "ecs.c6.large,ecs.c5.large", "Queues.1.SpotStrategy", "SpotAsPriceGo",
		"Queues.2.QueueName", "wide", "Queues.2.EnableAutoGrow", "true", "Queues.2.EnableAutoShrink", "true",
		"Queues.2.MinNodesInQueue", "1", "Queues.2.MaxNodesInQueue", fmt.Sprint(dayWide)))
	d.w.SchedulerOf(d.id).Script(dayOutcome)
	d.w.OnEnd(d.id, func(run hpc.Run) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.ended[run.Token+" "+run.Task]++
	})
	d.w.Machines.Hook(d.watch)
	return d
}

// chance is a number of 0 to 1 that always is the same for the same things.
func chance(of ...any) float64 {
	h := fnv.New64a()
	fmt.Fprintln(h, append(of, daySeed)...)
	return rand.New(rand.NewPCG(h.Sum64(), daySeed)).Float64()
}

// dayOutcome is how a job goes, every time that it runs.
func dayOutcome(spec hpc.JobSpec, task string) schedfake.Outcome {
	o := schedfake.Outcome{Duration: dayLength(spec.Name, task)}
	if chance("fails", spec.Name, task) < 0.04 {
		o.ExitCode = 1
	}
	return o
}

func dayLength(name, task string) time.Duration {
	x := chance("length", name, task)
	return 20*time.Second + time.Duration(x*x*x*float64(40*time.Minute))
}

// plan says what happens when.
func (d *day) plan() {
	number := 0
	for burst := range dayBursts {
		var jobs []*api.SubmitJobRequest
		for range dayJobs / dayBursts {
			number++
			jobs = append(jobs, d.job(number, burst))
		}
		d.at(time.Duration(d.random.Float64()*float64(23*time.Hour)), func() {
			for _, q := range jobs {
				d.p.submit(d.t, q)
			}
		})
	}
	for range 16 {
		d.at(d.some(), func() { d.strike("died", d.die) })
		d.at(d.some(), func() { d.strike("went silent", d.fallSilent) })
		d.at(d.some(), func() { d.strike("reclaimed with notice", func(n *store.Node) { d.reclaim(n, 2*time.Minute) }) })
		d.at(d.some(), func() { d.strike("reclaimed without notice", func(n *store.Node) { d.reclaim(n, 0) }) })
	}
}

func (d *day) some() time.Duration {
	return time.Duration(d.random.Int64N(int64(24 * time.Hour)))
}

func (d *day) at(at time.Duration, do func()) { d.events = append(d.events, event{at, do}) }

// job is the n-th job of the day.
func (d *day) job(n, burst int) *api.SubmitJobRequest {
	q := job(d.id, "./run.sh")
	q.Name = fmt.Sprintf("job%04d", n)
	q.RunasUser = []string{"lovelace", "turing", "hopper"}[burst%3]
	q.JobQueue = []string{"workq", "workq", "night", "wide"}[burst%4]
	q.Node, q.Task, q.Thread = new(1), new(1), new(1+d.random.IntN(2))
	*q.Node = 1
	again := d.random.Float64() < 0.8
	q.ReRunable = &again
	longest := dayLength(q.Name, "")
	switch kind := d.random.Float64(); {
	case kind < 0.03:
		q.ArrayRequest = fmt.Sprintf("1-%d", 2+d.random.IntN(8))
		longest = time.Hour
	case kind < 0.15:
		*q.Node = 2 + d.random.IntN(3)
	case kind < 0.17:
		longest /= 4 // too little
	}
	limit := time.Minute + longest*3/2
	q.ClockTime = fmt.Sprintf("%02d:%02d:%02d", int(limit.Hours()), int(limit.Minutes())%60, int(limit.Seconds())%60)
	return q
}

// live lets the day pass.
func (d *day) live(length time.Duration) {
	slices.SortStableFunc(d.events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	begun := time.Now()
	for len(d.events) > 0 && d.events[0].at < length {
		e := d.events[0]
		d.events = d.events[1:]
		time.Sleep(time.Until(begun.Add(e.at)))
		e.do()
		d.check()
	}
}

// end waits until all has ended.
func (d *day) end() {
	d.until("all jobs have ended", 12*time.Hour, func() bool {
		open, err := d.p.Store.Read().OpenJobs(d.t.Context(), d.id)
		must(d.t, err)
		return len(open) == 0
	})
	d.until("only the least of nodes is left", 12*time.Hour, func() bool { return len(d.added()) == 1 })
	if left := d.added()[0]; left.Queue != "wide" {
		d.t.Errorf("what is left is of queue %s", left.Queue)
	}
}

// until is Plane.Until for hours.
func (d *day) until(what string, most time.Duration, yes func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(most); !yes(); time.Sleep(20*time.Second + 77*time.Microsecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("waited in vain: %s", what)
		}
		d.check()
	}
}

// added are the compute nodes that were made because jobs waited, or may yet be.
func (d *day) added() []*store.Node {
	return slices.DeleteFunc(d.p.rows(d.t, d.id), func(n *store.Node) bool { return n.CreateMode != store.Autoscale })
}

// check holds the nodes to their bounds.
func (d *day) check() {
	d.t.Helper()
	nodes := d.added()
	d.most = max(d.most, len(nodes))
	wide := len(slices.DeleteFunc(slices.Clone(nodes), func(n *store.Node) bool { return n.Queue != "wide" }))
	if len(nodes) > dayMaxNodes || wide > dayWide {
		d.t.Fatalf("there are %d nodes, %d of queue wide", len(nodes), wide)
	}
}

// strike picks a node in service for a fault.
func (d *day) strike(kind string, do func(*store.Node)) {
	nodes := slices.DeleteFunc(d.added(), func(n *store.Node) bool { return n.Status != hpc.NodeRunning || !n.Wanted })
	if len(nodes) == 0 {
		return
	}
	d.faults[kind]++
	do(nodes[d.random.IntN(len(nodes))])
}

// die ends a machine and what runs on it.
func (d *day) die(n *store.Node) {
	d.w.SchedulerOf(d.id).PowerOff(n.Hostname)
	d.w.Machines.Kill(n.ID)
}

// fallSilent cuts an agent off for some minutes, while its node goes on.
func (d *day) fallSilent(n *store.Node) {
	d.w.Mute(n.ID, true)
	time.AfterFunc(30*time.Second+time.Duration(d.random.Int64N(int64(5*time.Minute))), func() { d.w.Mute(n.ID, false) })
}

func (d *day) reclaim(n *store.Node, notice time.Duration) {
	if notice == 0 {
		d.w.SchedulerOf(d.id).PowerOff(n.Hostname)
	} else {
		agent := d.w.Agent(n.ID)
		time.AfterFunc(notice-time.Microsecond, func() {
			if d.w.Agent(n.ID) == agent {
				d.w.SchedulerOf(d.id).PowerOff(n.Hostname)
			}
		})
	}
	must(d.t, d.w.Machines.Reclaim(d.t.Context(), n.ID, time.Now().Add(notice)))
}

// watch sees machines come and go: some do not start, and none goes while its
// node has a job.
func (d *day) watch(s provfake.Step) error {
	spec, known := d.w.Machines.Spec(s.ID)
	if !known || !strings.HasPrefix(spec.Hostname, "compute") {
		return nil
	}
	switch {
	case s.Op == provfake.Create && s.Point == provfake.Midway:
		if chance("broken", spec.Hostname, int(time.Since(d.begun).Hours())) < 0.05 {
			return errors.New("it does not start")
		}
	case s.Op == provfake.Create && s.Point == provfake.After:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.made++
	case s.Op == provfake.Destroy && s.Point == provfake.Before:
		seen, err := d.w.SchedulerOf(d.id).Observe(context.Background(), "")
		if err != nil {
			return err
		}
		for _, j := range seen.Queue {
			if j.State == hpc.JobRunning && slices.Contains(j.Nodes, spec.Hostname) {
				d.t.Errorf("node %s goes while job %s is on it", spec.Hostname, j.ID)
			}
		}
	}
	return nil
}

// totals are what came of the day.
func (d *day) totals() string {
	t := d.t
	t.Helper()
	states := map[hpc.JobState]int{}
	restarts, rows := 0, 0
	seen, err := d.w.SchedulerOf(d.id).Observe(t.Context(), "")
	must(t, err)
	for _, j := range seen.Ends {
		restarts += j.Restarts
	}
	var list api.ListJobsResponse
	for page := 1; rows < dayJobs && page < 100; page++ {
		must(t, d.p.Do(t.Context(), &api.ListJobsRequest{ClusterId: d.id, PageNumber: page, PageSize: 50}, &list))
		for _, j := range list.Jobs.JobInfo {
			states[hpc.JobState(j.State)]++
			rows++
		}
	}
	if rows != dayJobs || list.TotalCount != dayJobs {
		t.Errorf("of %d jobs, %d are listed, %d in all", dayJobs, rows, list.TotalCount)
	}
	for run, times := range d.ended {
		if times != 1 {
			t.Errorf("run %s came to its end %d times", run, times)
		}
	}
	return strings.Join([]string{
		"jobs: " + tally(states), fmt.Sprintf("requeued: %d", restarts), "faults: " + tally(d.faults),
		fmt.Sprintf("machines made: %d", d.made), fmt.Sprintf("most nodes at a time: %d", d.most),
		"log: " + tally(d.decisions()), d.cost()}, "\n")
}

func tally[K ~string](of map[K]int) string {
	var parts []string
	for k, n := range of {
		parts = append(parts, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// decisions counts the lines of the cluster's log about auto scaling.
func (d *day) decisions() map[string]int {
	lines, _, err := d.p.Store.Read().Logs(d.t.Context(), d.id, store.Page{})
	must(d.t, err)
	kinds := map[string]int{}
	for _, l := range lines {
		if l.Operation != "AutoScale" {
			continue
		}
		for _, kind := range []string{"are added to queue", "no node is added", "is reset", "is given up", "is drained", "is kept", "is released", "left alone"} {
			if strings.Contains(l.Message, kind) {
				kinds[kind]++
				break
			}
		}
	}
	return kinds
}

// cost is what the day cost, which the ledger must tell as its spans do.
func (d *day) cost() string {
	t := d.t
	now := time.Now()
	var spans []*store.NodeSpan
	var usage []store.Usage
	must(t, d.p.Store.View(t.Context(), func(ctx context.Context, tx store.Tx) (err error) {
		if spans, err = tx.AllSpans(ctx, d.id); err != nil {
			return err
		}
		usage, err = tx.Usage(ctx, d.id, d.begun.Add(-time.Hour), now.Add(time.Hour), now)
		return err
	}))
	var hours time.Duration
	var nodes, jobs, all hpc.Money
	for _, s := range spans {
		end := s.Ended
		if s.Ended.IsZero() {
			end = now
		}
		all += s.Price.Over(end.Sub(s.Began), 1, 1)
		if s.Queue != "" {
			hours += end.Sub(s.Began)
		}
	}
	for _, u := range usage {
		if u.Account == "" {
			nodes += u.Cost
		} else {
			jobs += u.Cost
		}
	}
	if short := all - nodes; short < 0 || short > hpc.MoneyOf(0.0001) { // every part of an hour is rounded down
		t.Errorf("all nodes cost %v, their spans %v", nodes, all)
	}
	// To a cent: how long a node is told of the accounts beside its other steps goes by moments.
	return fmt.Sprintf("node hours: %.2f\ncost: nodes %.2f, of which jobs %.2f", hours.Hours(), nodes.Float(), jobs.Float())
}
