package ehpctest

import (
	"slices"
	"strings"
	"sync"
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

// market is a plane with a cluster without compute nodes, whose jobs' ends are
// counted.
type market struct {
	*Plane
	w  *World
	id string

	mu   sync.Mutex
	ends map[string]int // by token
}

func openMarket(t *testing.T, o Options) *market {
	t.Helper()
	m := &market{w: NewWorld(provfake.Options{}), ends: map[string]int{}}
	m.Plane = Start(t, m.w, o)
	m.id = withAccount(t, m.w, m.Plane, 0)
	m.w.OnEnd(m.id, func(r hpc.Run) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.ends[r.Token]++
	})
	return m
}

// last makes all jobs run so long.
func (m *market) last(d time.Duration) {
	m.w.SchedulerOf(m.id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: d} })
}

// spot adds a preemptible node and waits until it runs.
func (m *market) spot(t *testing.T, with ...string) *store.Node {
	t.Helper()
	must(t, call(t, m.Plane, "AddNodes", append([]string{"ClusterId", m.id, "Count", "1", "ComputeSpotStrategy", "SpotAsPriceGo"}, with...)...))
	var n *store.Node
	m.Until(t, "the node runs", func() bool {
		rows := m.rows(t, m.id)
		n = rows[len(rows)-1]
		return n.Status == hpc.NodeRunning && n.HasRole(hpc.RoleCompute)
	})
	return n
}

func (m *market) reclaim(t *testing.T, n *store.Node, notice string) error {
	t.Helper()
	return call(t, m.Plane, "ReclaimNodes", "ClusterId", m.id, "Instance.1.Id", n.ID, "Notice", notice)
}

// replaced waits until the node is gone and another one like it runs.
func (m *market) replaced(t *testing.T, n *store.Node) (next *store.Node) {
	t.Helper()
	m.Until(t, n.Hostname+" is gone and replaced", func() bool {
		next = nil
		for _, row := range m.rows(t, m.id) {
			if row.ID == n.ID {
				return false
			}
			if row.HasRole(hpc.RoleCompute) && row.Status == hpc.NodeRunning {
				next = row
			}
		}
		return next != nil
	})
	if next.InstanceType != n.InstanceType || next.SpotStrategy != n.SpotStrategy || next.SpotPriceLimit != n.SpotPriceLimit || next.Queue != n.Queue || next.CreateMode != n.CreateMode {
		t.Errorf("%+v took the place of %+v", next, n)
	}
	if machines, err := m.w.Machines.List(t.Context()); err != nil || slices.ContainsFunc(machines, func(m provider.Machine) bool { return m.ID == n.ID }) {
		t.Errorf("the machine is still there: %+v, %v", machines, err)
	}
	return next
}

// once waits for a job's end and expects that its script came to it once, after
// so many restarts.
func (m *market) once(t *testing.T, jobID string, restarts int) {
	t.Helper()
	m.untilState(t, m.id, jobID, "COMPLETED")
	row := m.row(t, jobID)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ends[row.Token] != 1 || row.Restarts != restarts {
		t.Errorf("job %s came to its end %d times after %d restarts, want %d", jobID, m.ends[row.Token], row.Restarts, restarts)
	}
}

func (m *market) row(t *testing.T, jobID string) *store.Job {
	t.Helper()
	rows, err := m.Store.Read().JobsOfPublic(t.Context(), m.id, []string{jobID})
	if must(t, err); len(rows) != 1 {
		t.Fatalf("job %s has %d rows", jobID, len(rows))
	}
	return rows[0]
}

func (m *market) rerunable(t *testing.T) (jobID string) {
	t.Helper()
	q := job(m.id, "./run.sh")
	q.ReRunable = new(bool)
	*q.ReRunable = true
	jobID = m.submit(t, q)
	m.untilState(t, m.id, jobID, "RUNNING")
	return jobID
}

func (m *market) saw(t *testing.T, lines ...[]string) {
	t.Helper()
	for _, words := range lines {
		if !m.told(t, m.id, words...) {
			t.Errorf("the cluster's log has no line of %q", words)
		}
	}
}

func TestANodeThatIsTakenBackGivesItsJobsBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, notice, says string }{
		{"with notice", "1", "requeued jobs "},
		{"with none", "0", "its machine was taken back; requeued jobs "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := openMarket(t, Options{})
			m.last(time.Hour)
			n := m.spot(t)
			id := m.rerunable(t)
			m.last(50 * time.Millisecond)
			must(t, m.reclaim(t, n, c.notice))
			m.once(t, id, 1)
			next := m.replaced(t, n)
			m.saw(t, []string{"reclaim accepted", n.Hostname}, []string{"node " + n.Hostname, "is taken back", "ReclaimNodes asks for it", next.Hostname + " (" + next.ID + ") takes its place"},
				[]string{n.Hostname, c.says + id})
			runs, err := m.w.GuardOf(m.id).Runs(t.Context(), m.row(t, id).Token)
			if must(t, err); len(runs) != 2 || !strings.Contains(runs[0].Killed, "its machine is taken back") || runs[0].Host != n.Hostname || runs[1].Killed != "" {
				t.Errorf("the runs are %+v", runs)
			}
		})
	}
}

func TestAJobMayEndWithinTheNotice(t *testing.T) {
	t.Parallel()
	m := openMarket(t, Options{})
	m.last(400 * time.Millisecond)
	n := m.spot(t)
	id := m.rerunable(t)
	must(t, m.reclaim(t, n, "120"))
	m.once(t, id, 0)
	m.replaced(t, n) // long before its time
	m.saw(t, []string{"node " + n.Hostname, "is taken back at ", ", in "}, []string{n.Hostname, "is given back: nothing runs there any more"})
}

func TestAJobThatMayNotRunAgainFailsWithItsNode(t *testing.T) {
	t.Parallel()
	for _, notice := range []string{"1", "0"} {
		t.Run(notice+" s before", func(t *testing.T) {
			t.Parallel()
			m := openMarket(t, Options{})
			m.last(time.Hour)
			n := m.spot(t)
			id := m.submit(t, job(m.id, "./run.sh"))
			m.untilState(t, m.id, id, "RUNNING")
			begun := time.Now()
			must(t, m.reclaim(t, n, notice))
			j := m.untilState(t, m.id, id, "NODE_FAIL")
			if !strings.Contains(j.Comment, "its machine is taken back") {
				t.Errorf("it says %q", j.Comment)
			}
			if notice == "1" && time.Since(begun) < 900*time.Millisecond {
				t.Errorf("it was ended %v after the notice", time.Since(begun))
			}
			m.replaced(t, n)
			m.saw(t, []string{n.Hostname, "jobs that may not run again fail: " + id})
		})
	}
}

func TestTheLogKnowsNotWhetherAJobSubmittedOnANodeMayRunAgain(t *testing.T) {
	t.Parallel()
	m := openMarket(t, Options{})
	m.last(time.Hour)
	n := m.spot(t)
	sched := m.w.SchedulerOf(m.id)
	sched.Guarded(schedfake.Fence{}) // it claims nothing
	id, err := sched.Submit(t.Context(), hpc.JobSpec{Token: "strange", Script: "true", UID: 20000})
	must(t, err)
	must(t, sched.Release(t.Context(), id))
	m.untilState(t, m.id, id, "RUNNING")
	must(t, m.reclaim(t, n, "0"))
	m.replaced(t, n)
	m.saw(t, []string{n.Hostname, "is given back", "submitted on a node those that may run again are requeued: " + id})
	if m.told(t, m.id, "requeued jobs") {
		t.Error("the log says that it was requeued")
	}
}

func TestANoticeOutlivesTheService(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"after reclaim", "after note notice", "after drain for notice", "before requeue jobs", "after requeue jobs", "before give back", "after give back", "before release"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			crash := newCrash(at)
			// The machine stays while a busy service comes to each point in turn.
			o := Options{Dir: t.TempDir(), Interrupt: crash.interrupt, Limits: limits}
			o.Limits.Lead = 2*time.Minute - 500*time.Millisecond
			m := openMarket(t, o)
			m.last(time.Hour)
			n := m.spot(t)
			id := m.rerunable(t)
			m.last(50 * time.Millisecond)
			must(t, m.reclaim(t, n, "120"))
			crash.await(t, m.Plane)
			o.Interrupt = nil
			m.again(t, o)
			m.once(t, id, 1)
			m.replaced(t, n)
			if n := len(m.rows(t, m.id)); n != 3 {
				t.Errorf("the cluster has %d nodes, want a manager, a login node and a compute node", n)
			}
		})
	}
}

// costs is a spot price of all nodes.
func costs(price float64) func(*config.Config) {
	return func(c *config.Config) {
		c.SpotPrices = map[string][]hpc.SpotPrice{c.ComputeType: {{From: time.Now().Add(-time.Hour), Price: price}}}
	}
}

// again is the service's next life.
func (m *market) again(t *testing.T, o Options) {
	t.Helper()
	m.Kill()
	m.Plane = Start(t, m.w, o)
}

func TestAPriceAboveTheLimit(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), Config: costs(0.1)}
	m := openMarket(t, o)
	m.last(time.Millisecond)
	if err := call(t, m.Plane, "AddNodes", "ClusterId", m.id, "Count", "1", "ComputeSpotStrategy", "SpotWithPriceLimit", "ComputeSpotPriceLimit", "0.05"); codeOf(t, err) != "InvalidParams" || !strings.Contains(err.Error(), "ComputeSpotPriceLimit") {
		t.Errorf("a limit below the price: %v", err)
	}
	n := m.spot(t, "ComputeSpotStrategy", "SpotWithPriceLimit", "ComputeSpotPriceLimit", "0.25")
	other := m.spot(t)
	o.Config = costs(0.5)
	m.again(t, o)
	m.Until(t, "the dear node waits to be made anew", func() bool {
		return m.told(t, m.id, "waits: the spot price of", "above the node's limit of 0.25 an hour; it is made when the price has fallen")
	})
	m.saw(t, []string{"node " + n.Hostname, "is taken back at", "in 2m0s: the spot price of", "takes its place"})
	o.Config = costs(0.25)
	m.again(t, o)
	m.Until(t, "it is there again when the price has fallen", func() bool {
		return slices.ContainsFunc(m.rows(t, m.id), func(row *store.Node) bool {
			return row.SpotPriceLimit == 0.25 && row.ID != n.ID && row.Status == hpc.NodeRunning
		})
	})
	if !slices.ContainsFunc(m.rows(t, m.id), func(row *store.Node) bool {
		return row.ID == other.ID && row.ReclaimPhase == hpc.NotReclaimed
	}) {
		t.Error("the node that costs what it costs was taken back, too")
	}
	waits := 0
	var logs api.ListClusterLogsResponse
	must(t, m.Do(t.Context(), &api.ListClusterLogsRequest{ClusterId: m.id, PageNumber: 1, PageSize: 100}, &logs))
	for _, l := range logs.Logs.LogInfo {
		if strings.Contains(l.Message, "waits: ") {
			waits++
		}
	}
	if waits != 1 {
		t.Errorf("the wait is told %d times", waits)
	}
}

func TestAQueueThatGrowsReplacesWhatItsJobsNeed(t *testing.T) {
	t.Parallel()
	m := openMarket(t, Options{})
	m.last(time.Hour)
	n := m.spot(t)
	// Two rounds are an hour apart, and the first one has been.
	must(t, call(t, m.Plane, "SetAutoScaleConfig", "ClusterId", m.id, "EnableAutoGrow", "true", "MaxNodesInCluster", "3", "GrowIntervalInMinutes", "10"))
	id := m.rerunable(t)
	m.last(50 * time.Millisecond)
	must(t, m.reclaim(t, n, "1"))
	m.Until(t, "one is added while the job still runs", func() bool { return len(m.added(t, m.id)) == 1 && m.row(t, id).Restarts == 0 })
	m.once(t, id, 1)
	m.Until(t, "the node is gone", func() bool {
		return !slices.ContainsFunc(m.rows(t, m.id), func(row *store.Node) bool { return row.ID == n.ID })
	})
	m.saw(t, []string{"node " + n.Hostname, "its queue grows as its jobs need"})
	if got := m.added(t, m.id); len(got) != 1 {
		t.Errorf("added are %v", got)
	}
}

func TestWhatIsNotReclaimed(t *testing.T) {
	t.Parallel()
	m := openMarket(t, Options{})
	n := m.spot(t)
	must(t, call(t, m.Plane, "AddNodes", "ClusterId", m.id, "Count", "1"))
	rows := m.rows(t, m.id)
	kept := rows[len(rows)-1]
	for _, c := range []struct{ name, id, notice, code, names string }{
		{"a manager", rows[0].ID, "0", "InvalidOpt", "no compute node"},
		{"a node that is not preemptible", kept.ID, "0", "InvalidOpt", "ComputeSpotStrategy"},
		{"an unknown node", "i-none", "0", "ComputeNotFound", "i-none"},
		{"with more notice than two minutes", n.ID, "121", "InvalidParams", "Notice"},
		{"with less than none", n.ID, "-1", "InvalidParams", "Notice"},
	} {
		if err := m.reclaim(t, &store.Node{ID: c.id}, c.notice); err == nil || codeOf(t, err) != c.code || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: %v, want %s that names %s", c.name, err, c.code, c.names)
		}
	}
	must(t, m.reclaim(t, n, "100"))
	if err := m.reclaim(t, n, "100"); err == nil || codeOf(t, err) != "InvalidNodeStatus" && codeOf(t, err) != "ComputeNotFound" {
		t.Errorf("a second time: %v", err)
	}
	if err := call(t, m.Plane, "ResumeNodes", "ClusterId", m.id, "Instance.1.Id", n.ID); err == nil || codeOf(t, err) != "InvalidNodeStatus" || !strings.Contains(err.Error(), "taken back") {
		t.Errorf("put back into service: %v", err)
	}
	m.Service.Reclaims = false
	if err := m.reclaim(t, n, "0"); err == nil || codeOf(t, err) != "InvalidOpt" || !strings.Contains(err.Error(), "provider") {
		t.Errorf("by a provider that cannot: %v", err)
	}
	for strategy, limit := range map[string]string{"SpotWithPriceLimit": "", "SpotAsPriceGo": "-1", "NoSpot": "cheap", "Cheap": "1"} {
		err := call(t, m.Plane, "AddNodes", "ClusterId", m.id, "Count", "1", "ComputeSpotStrategy", strategy, "ComputeSpotPriceLimit", limit)
		if err == nil || codeOf(t, err) != "InvalidParams" || !strings.Contains(err.Error(), "ComputeSpot") {
			t.Errorf("strategy %s, limit %q: %v", strategy, limit, err)
		}
	}
}
