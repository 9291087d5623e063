package schedulertest

import (
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

func testWalltime(t *testing.T, s suite) {
	spec := s.spec("sleep 300")
	spec.Walltime = time.Second
	if end := s.ended(s.start(spec)); end.State != hpc.JobTimeout {
		t.Errorf("the job ended %s", end.State)
	}
}

// fill is a job on every node.
func (s suite) fill(rerunable bool) hpc.JobSpec {
	spec := s.spec("sleep 300")
	spec.Nodes, spec.Rerunable = s.Nodes, rerunable
	return spec
}

func testDrain(t *testing.T, s suite) {
	s.idle()
	s.must("drain", s.Scheduler.Drain(t.Context(), s.Node, "for a test"))
	s.until("the node is drained", func() bool { return s.node().State == scheduler.NodeDrained })
	if reason := s.node().Reason; reason == "" {
		t.Error("the drained node gives no reason")
	}
	id := s.start(s.fill(false))
	s.queued(id, hpc.JobPending)
	s.must("resume", s.Scheduler.Resume(t.Context(), s.Node))
	s.queued(id, hpc.JobRunning)
	s.must("drain", s.Scheduler.Drain(t.Context(), s.Node, "for a test"))
	s.until("the node is draining", func() bool { return s.node().State == scheduler.NodeDraining })
	s.queued(id, hpc.JobRunning)
	s.must("cancel", s.Scheduler.Cancel(t.Context(), id))
	s.until("the node is drained", func() bool { return s.node().State == scheduler.NodeDrained })
	s.must("resume", s.Scheduler.Resume(t.Context(), s.Node))
	s.idle()
}

func testRemoveBusy(t *testing.T, s suite) {
	s.idle()
	id := s.start(s.fill(false))
	s.queued(id, hpc.JobRunning)
	s.until("the node is busy", func() bool { return s.node().State == scheduler.NodeBusy })
	s.is(s.Scheduler.Remove(t.Context(), s.Node), scheduler.ErrBusy)
	s.must("cancel", s.Scheduler.Cancel(t.Context(), id))
	s.ended(id)
	s.idle()
}

func testUnknownNodes(t *testing.T, s suite) {
	s.must("remove", s.Scheduler.Remove(t.Context(), "nosuchnode"))
	s.is(s.Scheduler.Drain(t.Context(), "nosuchnode", "for a test"), scheduler.ErrNotFound)
	s.is(s.Scheduler.Move(t.Context(), "nosuchnode", hpc.DefaultQueue), scheduler.ErrNotFound)
	s.is(s.Scheduler.Resume(t.Context(), "nosuchnode"), scheduler.ErrNotFound)
	s.is(s.Scheduler.Down(t.Context(), "nosuchnode", "for a test"), scheduler.ErrNotFound)
	_, err := s.Scheduler.Requeue(t.Context(), "nosuchnode", "for a test")
	s.is(err, scheduler.ErrNotFound)
}

func testRequeue(t *testing.T, s suite) {
	s.idle()
	id := s.start(s.fill(true))
	s.queued(id, hpc.JobRunning)
	s.must("drain", s.Scheduler.Drain(t.Context(), s.Node, "for a test"))
	requeue := func(want ...string) {
		t.Helper()
		ids, err := s.Scheduler.Requeue(t.Context(), s.Node, "for a test")
		s.must("requeue", err)
		if !slices.Equal(ids, want) {
			t.Errorf("requeued are %v, want %v", ids, want)
		}
	}
	requeue(id)
	if job := s.queued(id, hpc.JobPending); job.Restarts != 1 {
		t.Errorf("the requeued job has %d restarts", job.Restarts)
	}
	s.until("the node is drained", func() bool { return s.node().State == scheduler.NodeDrained })
	requeue()
	s.must("resume", s.Scheduler.Resume(t.Context(), s.Node))
	s.queued(id, hpc.JobRunning)
	s.must("cancel", s.Scheduler.Cancel(t.Context(), id))
	s.ended(id)
	s.idle()
	id = s.start(s.fill(false))
	s.queued(id, hpc.JobRunning)
	requeue()
	s.queued(id, hpc.JobRunning)
	s.must("cancel", s.Scheduler.Cancel(t.Context(), id))
	s.ended(id)
	s.idle()
}

func testDownRerunable(t *testing.T, s suite) {
	s.idle()
	id := s.start(s.fill(true))
	s.queued(id, hpc.JobRunning)
	s.must("set down", s.Scheduler.Down(t.Context(), s.Node, "for a test"))
	if job := s.queued(id, hpc.JobPending); job.Restarts != 1 {
		t.Errorf("the requeued job has %d restarts", job.Restarts)
	}
	s.must("cancel", s.Scheduler.Cancel(t.Context(), id))
	s.ended(id)
	s.must("resume", s.Scheduler.Resume(t.Context(), s.Node))
	s.idle()
}

func testDownOthers(t *testing.T, s suite) {
	s.idle()
	id := s.start(s.fill(false))
	s.queued(id, hpc.JobRunning)
	s.must("set down", s.Scheduler.Down(t.Context(), s.Node, "for a test"))
	if end := s.ended(id); end.State != hpc.JobNodeFail {
		t.Errorf("the job of the dead node ended %s", end.State)
	}
	s.must("resume", s.Scheduler.Resume(t.Context(), s.Node))
	s.idle()
}

// testMove needs a second queue, "elsewhere".
func testMove(t *testing.T, s suite) {
	s.idle()
	s.must("move", s.Scheduler.Move(t.Context(), s.Node, "elsewhere"))
	s.until("the node is in the other queue", func() bool { return s.node().Queue == "elsewhere" })
	id := s.start(s.fill(false))
	s.queued(id, hpc.JobPending) // it waits for every node
	s.must("move", s.Scheduler.Move(t.Context(), s.Node, hpc.DefaultQueue))
	s.must("move again", s.Scheduler.Move(t.Context(), s.Node, hpc.DefaultQueue))
	s.until("the node is back", func() bool { return s.node().Queue == hpc.DefaultQueue })
	s.queued(id, hpc.JobRunning)
	s.must("move a busy one", s.Scheduler.Move(t.Context(), s.Node, "elsewhere"))
	s.queued(id, hpc.JobRunning)
	s.must("cancel", s.Scheduler.Cancel(t.Context(), id))
	s.ended(id)
	s.idle()
	s.must("move back", s.Scheduler.Move(t.Context(), s.Node, hpc.DefaultQueue))
}
