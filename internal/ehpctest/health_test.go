package ehpctest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/scheduler"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
)

// node is one of a cluster's nodes, as ListNodes shows it.
func (p *Plane) node(t *testing.T, id, host string) api.ListNodesNodeInfo {
	t.Helper()
	var a api.ListNodesResponse
	must(t, p.Do(t.Context(), &api.ListNodesRequest{ClusterId: id, PageNumber: 1, PageSize: 50}, &a))
	for _, n := range a.Nodes.NodeInfo {
		if n.HostName == host {
			return n
		}
	}
	t.Fatalf("there is no node %s", host)
	return api.ListNodesNodeInfo{}
}

// inSched is a node as the scheduler has it; the zero one when it has none.
func (w *World) inSched(t *testing.T, id, host string) scheduler.Node {
	t.Helper()
	nodes, err := w.SchedulerOf(id).Nodes(t.Context())
	must(t, err)
	for _, n := range nodes {
		if n.Name == host {
			return n
		}
	}
	return scheduler.Node{}
}

// anew waits until a node takes jobs on another machine than the agent's.
func (p *Plane) anew(t *testing.T, w *World, id, host string, old *Agent) *Agent {
	t.Helper()
	var a *Agent
	p.Until(t, host+" is in service on a new machine", func() bool {
		n := p.node(t, id, host)
		a = w.Agent(n.Id)
		return a != nil && a != old && n.Status == "running" && n.LockReason == "" && w.inSched(t, id, host).State == scheduler.NodeIdle
	})
	return a
}

func (w *World) agentOf(t *testing.T, p *Plane, id, host string) *Agent {
	t.Helper()
	return w.Agent(p.node(t, id, host).Id)
}

// lines counts the lines of a cluster's log with all of the words.
func (p *Plane) lines(t *testing.T, id string, words ...string) (n int) {
	t.Helper()
	var logs api.ListClusterLogsResponse
	must(t, p.Do(t.Context(), &api.ListClusterLogsRequest{ClusterId: id, PageNumber: 1, PageSize: 100}, &logs))
next:
	for _, l := range logs.Logs.LogInfo {
		for _, word := range words {
			if !strings.Contains(l.Message, word) {
				continue next
			}
		}
		n++
	}
	return n
}

// ending has the cluster's jobs end with these exit statuses, in the order they
// start.
func (w *World) ending(id string, codes ...int) {
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome {
		o := schedfake.Outcome{Duration: time.Millisecond}
		if len(codes) > 0 {
			o.ExitCode, codes = codes[0], codes[1:]
		}
		return o
	})
}

func (p *Plane) runs(t *testing.T, id string, states ...string) {
	t.Helper()
	for _, state := range states {
		p.untilState(t, id, p.submit(t, job(id, "./run.sh")), state)
	}
}

// colleague adds a second account, and submits jobs of it.
func (p *Plane) colleague(t *testing.T, id string) (submit func() (jobID string)) {
	t.Helper()
	must(t, call(t, p, "AddUsers", "ClusterId", id, "User.1.Name", "colleague", "User.1.Group", "users", "User.1.Password", password))
	return func() string {
		q := job(id, "./run.sh")
		q.RunasUser = "colleague"
		return p.submit(t, q)
	}
}

func TestJobsThatFailLeaveTheirNodeAlone(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, engine string) {
		w := NewWorld(provfake.Options{})
		p := Start(t, w, Options{Engine: engine})
		id := withAccount(t, w, p, 1)
		old := w.agentOf(t, p, id, "compute000")
		const missing = hpc.ExitNotLaunched
		w.ending(id, 1, 2, 127, missing, missing, missing, 1, 1, 1)
		p.runs(t, id, "FAILED", "FAILED", "FAILED", "FAILED", "FAILED", "FAILED")
		submit := p.colleague(t, id)
		for range 3 {
			p.untilState(t, id, submit(), "FAILED")
		}
		time.Sleep(5 * limits.Health)
		if h := p.rows(t, id)[2].Health; h.InRow != 0 || p.told(t, id, "is drained") || w.agentOf(t, p, id, "compute000") != old {
			t.Errorf("exit statuses count against their node: %+v", h)
		}
	})
}

func TestANodeThatDoesNotStartJobsIsReplaced(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, engine string) {
		w := NewWorld(provfake.Options{})
		p := Start(t, w, Options{Engine: engine})
		id := withAccount(t, w, p, 1)
		old := w.agentOf(t, p, id, "compute000")
		w.SchedulerOf(id).BreakStarts(1 << 30)
		p.runs(t, id, "FAILED", "FAILED", "FAILED", "FAILED") // each of them after several attempts
		time.Sleep(5 * limits.Health)
		if h := p.rows(t, id)[2].Health; h.InRow != 4 || w.agentOf(t, p, id, "compute000") != old || p.told(t, id, "is drained") {
			t.Fatalf("one account's jobs have it drained, or are not counted once each: %+v", h)
		}
		other := p.colleague(t, id)()
		p.Until(t, "it is drained", func() bool { return p.told(t, id, "compute000", "is drained") })
		w.SchedulerOf(id).BreakStarts(0)
		p.anew(t, w, id, "compute000", old)
		for _, words := range [][]string{{"compute000", "is drained", "it does not start jobs or loses them, the last ones were "}, {"compute000", "is replaced", "1 of at most 5"}} {
			if n := p.lines(t, id, words...); n != 1 {
				t.Errorf("the cluster's log tells %d times that %q", n, words)
			}
		}
		p.untilState(t, id, other, "COMPLETED")
	})
}

func TestANodeThatOnlyJobsSpeakAgainstServesOnceItsQueueReplacesNoMore(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 1, time.Hour)
	old := w.agentOf(t, p, id, "compute000")
	p.untilState(t, id, p.submit(t, job(id, "./run.sh")), "RUNNING") // which keeps it from being made anew
	w.SchedulerOf(id).BreakStarts(1 << 30)
	p.runs(t, id, "FAILED", "FAILED")
	p.colleague(t, id)()
	p.Until(t, "it is drained", func() bool { return w.inSched(t, id, "compute000").State == scheduler.NodeDraining })
	w.SchedulerOf(id).BreakStarts(0)
	must(t, p.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
		q, err := tx.Queue(ctx, id, "workq")
		if err != nil {
			return err
		}
		q.Halted = time.Now()
		return tx.NoteReplaced(ctx, q)
	}))
	p.Until(t, "it is in service", func() bool { return w.inSched(t, id, "compute000").State == scheduler.NodeBusy })
	time.Sleep(5 * limits.Health)
	if w.inSched(t, id, "compute000").State != scheduler.NodeBusy || w.agentOf(t, p, id, "compute000") != old {
		t.Error("it did not stay there")
	}
	if n := p.lines(t, id, "compute000", "is put back into service: nothing but jobs speaks against it"); n != 1 {
		t.Errorf("that is told %d times", n)
	}
}

// lost runs a job, has it end with an exit status that only its node writes down,
// or be killed, and makes the scheduler forget it.
func (p *Plane) lost(t *testing.T, w *World, id string, ends bool, code int) {
	t.Helper()
	one := p.submit(t, job(id, "./run.sh"))
	p.untilState(t, id, one, "RUNNING")
	row, err := p.Store.Read().JobsOfPublic(t.Context(), id, []string{one})
	must(t, err)
	if ends {
		runs, err := w.GuardOf(id).Runs(t.Context(), row[0].Token)
		must(t, err)
		must(t, w.GuardOf(id).Journal.NoteEnd(runs[0], code, time.Now()))
	}
	w.SchedulerOf(id).Lose(row[0].SchedID)
	w.SchedulerOf(id).Crash(0)
	state := "FAILED"
	if ends && code == 0 {
		state = "COMPLETED"
	}
	p.untilState(t, id, one, state)
}

func TestJobsThatTheSchedulerLostSayThatTheirNodeWorks(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 1, time.Hour)
	health := func() store.Health { return p.rows(t, id)[2].Health }
	w.SchedulerOf(id).BreakStarts(1 << 30)
	p.runs(t, id, "FAILED", "FAILED")
	w.SchedulerOf(id).BreakStarts(0)
	p.lost(t, w, id, false, 0)
	if h := health(); h.InRow != 2 {
		t.Errorf("after a run that was killed there is %+v", h)
	}
	p.lost(t, w, id, true, 1)
	if h := health(); h.InRow != 0 {
		t.Errorf("after one that failed by itself there is %+v", h)
	}
}

func TestJobsThatWereStoppedCountForNothing(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 1, time.Hour)
	for range 4 {
		one := p.submit(t, job(id, "./run.sh"))
		p.untilState(t, id, one, "RUNNING")
		must(t, call(t, p, "StopJobs", "ClusterId", id, "Jobs", named(one)))
		p.untilState(t, id, one, "CANCELLED")
	}
	if h := p.rows(t, id)[2].Health; h.InRow != 0 || w.inSched(t, id, "compute000").Raw != "idle" {
		t.Errorf("its health is %+v", h)
	}
}

func TestSickNodesAreReplaced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ails func(*hpc.NodeHealth)
		says string
	}{
		"its disk is full":       {func(h *hpc.NodeHealth) { h.Disks[0].Free = 7 << 20 }, "its disk is full: 7 MB of 10240 MB are free on /"},
		"its disk errs":          {func(h *hpc.NodeHealth) { h.Disks[1].Fault = "cannot be written: input/output error" }, "its disk /tmp cannot be written: input/output error"},
		"it has lost a share":    {func(h *hpc.NodeHealth) { h.Shares[0].Fault = "is not mounted" }, "its share /home is not mounted"},
		"its clock is off":       {func(h *hpc.NodeHealth) { h.Clock = h.Clock.Add(-7 * time.Second) }, "its clock is off by -7.0 s"},
		"it says what it wishes": {func(h *hpc.NodeHealth) { h.Shares[0].Fault = "\n" + strings.Repeat("x", 1<<19) }, "its share /home ?xxx"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := NewWorld(provfake.Options{})
			p := Start(t, w, Options{})
			id := p.Create(t, 2)
			other, old := w.agentOf(t, p, id, "compute000"), w.agentOf(t, p, id, "compute001")
			old.Ail(c.ails)
			p.anew(t, w, id, "compute001", old)
			if !p.told(t, id, "compute001", "is drained", c.says) || !p.told(t, id, "compute001", "is replaced", c.says) {
				t.Errorf("the cluster's log does not tell that %s", c.says)
			}
			if w.agentOf(t, p, id, "compute000") != other || p.told(t, id, "compute000", "is drained") {
				t.Error("the other one is not as it was")
			}
		})
	}
}

func TestANodeThatGetsWellBeforeItIsReplacedGoesOn(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 1, time.Hour)
	p.untilState(t, id, p.submit(t, job(id, "./run.sh")), "RUNNING")
	a := w.agentOf(t, p, id, "compute000")
	a.Ail(func(h *hpc.NodeHealth) { h.Disks[1].Free = 0 })
	p.Until(t, "it is drained, and why is shown", func() bool {
		n := w.inSched(t, id, "compute000")
		return n.State == scheduler.NodeDraining && strings.HasPrefix(n.Reason, "ehpc: sick: its disk is full") &&
			strings.Contains(p.node(t, id, "compute000").LockReason, "are free on /tmp")
	})
	a.Ail(nil)
	p.Until(t, "it is in service again", func() bool {
		return w.inSched(t, id, "compute000").State == scheduler.NodeBusy && p.node(t, id, "compute000").LockReason == ""
	})
	if !p.told(t, id, "compute000 is sound again") || w.agentOf(t, p, id, "compute000") != a {
		t.Error("it was replaced, or nobody told")
	}
}

func TestManagersAndLoginNodesAreOnlyComplainedAbout(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 1)
	for _, host := range []string{"manager", "login0"} {
		a := w.agentOf(t, p, id, host)
		a.Ail(func(h *hpc.NodeHealth) { h.Disks[0].Free = 0 })
		p.Until(t, "it is told", func() bool { return p.node(t, id, host).LockReason != "" })
		time.Sleep(5 * limits.Health)
		if w.agentOf(t, p, id, host) != a || p.lines(t, id, host, "needs somebody to look at it", "its disk is full") != 1 {
			t.Errorf("%s was replaced, or it was not told once", host)
		}
		a.Ail(nil)
		p.Until(t, "it is well", func() bool { return p.node(t, id, host).LockReason == "" && p.told(t, id, host, "is sound again") })
	}
}

func TestANodeThatAnAdministratorDrainedIsLeftAloneUntilItIsResumed(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 2)
	n, a := p.node(t, id, "compute001"), w.agentOf(t, p, id, "compute001")
	must(t, w.SchedulerOf(id).Drain(t.Context(), "compute001", "its fan is broken"))
	a.Ail(func(h *hpc.NodeHealth) { h.Shares[1].Fault = "does not answer" })
	time.Sleep(8 * limits.Health)
	if w.agentOf(t, p, id, "compute001") != a || p.told(t, id, "is drained") {
		t.Error("it was not left alone")
	}
	a.Ail(nil)
	must(t, call(t, p, "ResumeNodes", "ClusterId", id, "Instance.1.Id", n.Id))
	p.Until(t, "it is in service", func() bool { return w.inSched(t, id, "compute001").State == scheduler.NodeIdle })
	if !p.told(t, id, "to be put back into service: compute001") {
		t.Error("nobody told of it")
	}
}

func TestAQueueStopsReplacingUntilSomebodyLooks(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 1)
	broken := func(h *hpc.NodeHealth) { h.Disks[0].Free = 0 }
	a := w.agentOf(t, p, id, "compute000")
	for range 5 {
		a.Ail(broken)
		a = p.anew(t, w, id, "compute000", a)
	}
	const halt = "queue workq replaces no more nodes, 5 were replaced within an hour"
	if n := p.lines(t, id, halt); n != 1 {
		t.Errorf("that it stops is told %d times", n)
	}
	a.Ail(broken)
	p.Until(t, "it is drained", func() bool {
		return w.inSched(t, id, "compute000").State == scheduler.NodeDrained &&
			strings.HasSuffix(p.node(t, id, "compute000").LockReason, "its queue replaces no more nodes, see ehpc node resume")
	})
	time.Sleep(5 * limits.Health)
	if w.agentOf(t, p, id, "compute000") != a || p.lines(t, id, halt) != 1 {
		t.Error("it was replaced all the same, or told again")
	}
	must(t, call(t, p, "ResumeNodes", "ClusterId", id, "Instance.1.Id", p.node(t, id, "compute000").Id))
	if !p.told(t, id, "sick nodes are replaced again in queue workq") {
		t.Error("nobody told that the queue replaces again")
	}
	p.anew(t, w, id, "compute000", a) // it is still broken
	if !p.told(t, id, "compute000", "is replaced", "1 of at most 5") {
		t.Error("it was not counted anew")
	}
}

func TestAServiceThatDiesReplacesANodeOnce(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"before replace", "counted to replace", "destroyed to replace"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			w, dir, dies := NewWorld(provfake.Options{}), t.TempDir(), newCrash(point)
			p := Start(t, w, Options{Dir: dir, Interrupt: dies.interrupt})
			id := p.Create(t, 1)
			a := w.agentOf(t, p, id, "compute000")
			a.Ail(func(h *hpc.NodeHealth) { h.Disks[0].Free = 0 })
			dies.await(t, p)
			p.Kill()
			p = Start(t, w, Options{Dir: dir})
			p.anew(t, w, id, "compute000", a)
			q, err := p.Store.Read().Queue(t.Context(), id, "workq")
			must(t, err)
			if n := p.rows(t, id)[2].Health.Replaced; len(q.Replaced) != 1 || n != 1 {
				t.Errorf("counted %d times in its queue, %d times of it", len(q.Replaced), n)
			}
		})
	}
}

func TestNodesThatCannotBeResumed(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 1)
	compute, login := p.node(t, id, "compute000").Id, p.node(t, id, "login0").Id
	for code, instances := range map[string][]string{"ComputeNotFound": {"i-none"}, "InvalidOpt": {login}, "InvalidParams": {compute, compute}, "MissingParameter": nil} {
		pairs := []string{"ClusterId", id}
		for i, one := range instances {
			pairs = append(pairs, "Instance."+string(rune('1'+i))+".Id", one)
		}
		if err := call(t, p, "ResumeNodes", pairs...); err == nil || codeOf(t, err) != code {
			t.Errorf("%v: %v, want %s", instances, err, code)
		}
	}
	if err := call(t, p, "ResumeNodes", "ClusterId", "ehpc-hz-none", "Instance.1.Id", compute); err == nil || codeOf(t, err) != "ClusterNotFound" {
		t.Errorf("of no cluster: %v", err)
	}
	w.Machines.Hook(func(s provfake.Step) error {
		if s.Op == provfake.Create && s.ID == compute {
			return errors.New("it is broken")
		}
		return nil
	})
	w.Machines.Kill(compute)
	p.Until(t, "it is out of service", func() bool { return p.node(t, id, "compute000").Status != "running" })
	if err := call(t, p, "ResumeNodes", "ClusterId", id, "Instance.1.Id", compute); err == nil || codeOf(t, err) != "InvalidNodeStatus" {
		t.Errorf("of one that is not in service: %v", err)
	}
}
