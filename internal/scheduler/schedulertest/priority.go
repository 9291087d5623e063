package schedulertest

import (
	"slices"
	"testing"

	"ehpc/internal/hpc"
)

// whole is a job that leaves no room beside it.
func (s suite) whole(script string, priority int) hpc.JobSpec {
	spec := s.spec(script)
	spec.Nodes, spec.Tasks, spec.Priority = s.Nodes, s.node().Cores, priority
	return spec
}

// inOrder waits for the ends of jobs, of which one at a time has room, and tells
// in which order they ran.
func (s suite) inOrder(ids map[string]int) (priorities []int) {
	s.Helper()
	for id := range ids {
		s.ended(id)
	}
	for _, end := range s.observe("").Ends { // in order
		if priority, ours := ids[end.ID]; ours {
			priorities = append(priorities, priority)
		}
	}
	return priorities
}

func testPriority(t *testing.T, s suite) {
	s.idle()
	first := s.start(s.whole("sleep 300", 0))
	s.queued(first, hpc.JobRunning)
	jobs := map[string]int{}
	var ids []string
	for _, priority := range []int{-1, 1, -100, 100, 0, 2} {
		id := s.submit(s.whole("sleep 1", priority))
		ids, jobs[id] = append(ids, id), priority
	}
	s.must("release", s.Scheduler.Release(t.Context(), ids...))
	for _, id := range ids { // what is repeated changes nothing
		s.must("release again", s.Scheduler.Release(t.Context(), id))
	}
	for _, id := range ids {
		if job := s.queued(id, hpc.JobPending); job.Priority != jobs[id] {
			t.Errorf("the job of priority %d is queued with %d", jobs[id], job.Priority)
		}
	}
	s.must("cancel", s.Scheduler.Cancel(t.Context(), first))
	if order, want := s.inOrder(jobs), []int{100, 2, 1, 0, -1, -100}; !slices.Equal(order, want) {
		t.Errorf("the jobs ran in the order of %d, want %d", order, want)
	}
	s.idle()
}

func testPriorityRequeued(t *testing.T, s suite) {
	s.idle()
	spec := s.whole("sleep 1", 5)
	spec.Script, spec.Rerunable = "#!/bin/sh\n[ \"$SLURM_RESTART_COUNT\" ] || sleep 300\nsleep 1\n", true
	again := s.start(spec)
	s.queued(again, hpc.JobRunning)
	jobs := map[string]int{again: 5}
	for _, priority := range []int{4, 6} { // engines hold what they requeued for some seconds
		jobs[s.start(s.whole("sleep 4", priority))] = priority
	}
	s.must("drain", s.Scheduler.Drain(t.Context(), s.Node, "for a test"))
	_, err := s.Scheduler.Requeue(t.Context(), s.Node, "for a test")
	s.must("requeue", err)
	s.queued(again, hpc.JobPending)
	s.must("resume", s.Scheduler.Resume(t.Context(), s.Node))
	if order, want := s.inOrder(jobs), []int{6, 5, 4}; !slices.Equal(order, want) {
		t.Errorf("the jobs ran in the order of %d, want %d", order, want)
	}
	s.idle()
}
