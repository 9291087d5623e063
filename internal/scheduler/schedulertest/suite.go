// Package schedulertest is the conformance suite that every scheduler driver
// passes, fake and real.
package schedulertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// Env is a running scheduler with at least one idle node and nothing queued by
// others, and a queue "elsewhere" without nodes. Its jobs understand scripts of the
// lines "sleep SECONDS" and "exit CODE".
type Env struct {
	Scheduler scheduler.Scheduler
	Account   string // runs the jobs
	UID       int
	Dir       string // the account may write here
	Node      string // one of the nodes, with at least one core
	Nodes     int    // how many there are, all like Node
}

// Run runs the suite. open is called once per test and may return the same Env.
func Run(t *testing.T, open func(t *testing.T) Env) {
	cases := []struct {
		name string
		test func(*testing.T, suite)
	}{
		{"a submitted job is held until it is released", testHeld},
		{"a token submitted again is the same job", testToken},
		{"an exit status is reported", testExitStatus},
		{"a held job can be cancelled", testCancelHeld},
		{"a running job can be cancelled", testCancelRunning},
		{"a malformed array is refused", testBadArray},
		{"every task of an array ends by itself", testArray},
		{"a waiting array is one job and can be cancelled", testCancelArray},
		{"ends are told from the cursor on", testCursor},
		{"unknown jobs are no error to release and cancel", testUnknownJobs},
		{"a job larger than the cluster waits", testTooLarge},
		{"a drained node takes no jobs until it is resumed", testDrain},
		{"a busy node is not removed", testRemoveBusy},
		{"unknown nodes are told apart", testUnknownNodes},
		{"a node that is down gives its rerunable job back", testDownRerunable},
		{"a node that is down fails its other jobs", testDownOthers},
		{"a node gives back the jobs that may run again", testRequeue},
		{"a job over its walltime is stopped", testWalltime},
		{"a node is moved to another queue and back", testMove},
		{"jobs that wait start in the order of their priority", testPriority},
		{"a job that went back to the queue keeps its priority", testPriorityRequeued},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, suite{T: t, Env: open(t)})
		})
	}
}

// suite is one test's view of its Env, with steps that fail the test.
type suite struct {
	*testing.T
	Env
}

// patience is how long a real scheduler may take for a step: Slurm stops a job
// up to two minutes after a walltime of one second.
const patience = 150 * time.Second

func (s suite) spec(script string) hpc.JobSpec {
	return hpc.JobSpec{
		Token: fmt.Sprintf("ehpc%x", time.Now().UnixNano()), Name: "conformance",
		Account: s.Account, UID: s.UID, Script: "#!/bin/sh\n" + script + "\n",
		Dir: s.Dir, Stdout: "/dev/null", Walltime: 10 * time.Minute,
	}
}

func (s suite) must(what string, err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("cannot %s: %v", what, err)
	}
}

func (s suite) submit(spec hpc.JobSpec) string {
	s.Helper()
	id, err := s.Scheduler.Submit(s.Context(), spec)
	s.must("submit", err)
	s.Cleanup(func() {
		// The test's own context has ended; leave nothing to the next test.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Scheduler.Cancel(ctx, id); err != nil {
			s.Errorf("cannot cancel job %s: %v", id, err)
		}
	})
	return id
}

func (s suite) start(spec hpc.JobSpec) string {
	s.Helper()
	id := s.submit(spec)
	s.must("release", s.Scheduler.Release(s.Context(), id))
	return id
}

func (s suite) observe(cursor string) scheduler.Observation {
	s.Helper()
	o, err := s.Scheduler.Observe(s.Context(), cursor)
	s.must("observe", err)
	return o
}

// until asks again until the answer is yes.
func (s suite) until(what string, yes func() bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-ctx.Done():
			s.Fatalf("waited %v in vain until %s", patience, what)
		case <-tick.C:
		}
	}
}

// queued waits until the job is queued in the state.
func (s suite) queued(id string, state hpc.JobState) scheduler.Job {
	s.Helper()
	var job scheduler.Job
	defer func() {
		if s.Failed() {
			s.Logf("the job is %+v, the node %+v", job, s.node())
		}
	}()
	s.until(fmt.Sprintf("job %s is %s", id, state), func() bool {
		var ok bool
		job, ok = find(s.observe("").Queue, id)
		return ok && job.State == state
	})
	return job
}

// ended waits for the job's end and that it has left the queue.
func (s suite) ended(id string) scheduler.Job {
	s.Helper()
	var job scheduler.Job
	s.until(fmt.Sprintf("job %s has ended", id), func() bool {
		o := s.observe("")
		var ok bool
		job, ok = find(o.Ends, id)
		return ok
	})
	return job
}

func (s suite) node() scheduler.Node {
	s.Helper()
	nodes, err := s.Scheduler.Nodes(s.Context())
	s.must("list nodes", err)
	i := slices.IndexFunc(nodes, func(n scheduler.Node) bool { return n.Name == s.Node })
	if i < 0 {
		s.Fatalf("node %s is not listed in %v", s.Node, nodes)
	}
	return nodes[i]
}

func (s suite) idle() {
	s.Helper()
	s.until("the node is idle", func() bool { return s.node().State == scheduler.NodeIdle })
}

func (s suite) is(err, kind error) {
	s.Helper()
	if !errors.Is(err, kind) {
		s.Fatalf("got the error %v, want one that is %q", err, kind)
	}
}

func find(jobs []scheduler.Job, id string) (scheduler.Job, bool) {
	for _, j := range jobs {
		if j.ID == id {
			return j, true
		}
	}
	return scheduler.Job{}, false
}
