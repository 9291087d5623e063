package schedulertest

import (
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

func testHeld(t *testing.T, s suite) {
	spec := s.spec("sleep 0")
	id := s.submit(spec)
	o := s.observe("")
	job, ok := find(o.Queue, id)
	if !ok || job.State != hpc.JobPending || !job.Held {
		t.Fatalf("the held job is %+v in the queue, want it PENDING and held", job)
	}
	if job.Token != spec.Token || job.UID != s.UID || job.Name != spec.Name {
		t.Errorf("the job is queued with token %q, uid %d, name %q", job.Token, job.UID, job.Name)
	}
	if o.Boot.IsZero() || o.Boot.After(o.Begun.Add(time.Second)) {
		t.Errorf("an observation begun %v tells a boot at %v", o.Begun, o.Boot)
	}
	s.must("release", s.Scheduler.Release(t.Context(), id))
	end := s.ended(id)
	if end.State != hpc.JobCompleted || end.ExitCode != 0 || end.Token != spec.Token {
		t.Errorf("the job ended %s %d with token %q", end.State, end.ExitCode, end.Token)
	}
	if end.Start.IsZero() || end.End.Before(end.Start) || len(end.Nodes) != 1 {
		t.Errorf("the job ran from %v to %v on %v", end.Start, end.End, end.Nodes)
	}
}

func testToken(t *testing.T, s suite) {
	spec := s.spec("sleep 0")
	first := s.submit(spec)
	if second := s.submit(spec); second != first {
		t.Errorf("one token got the ids %s and %s", first, second)
	}
	s.must("release", s.Scheduler.Release(t.Context(), first))
	s.ended(first)
	if third := s.submit(spec); third != first {
		t.Errorf("the token of the ended job %s got the id %s", first, third)
	}
}

func testExitStatus(t *testing.T, s suite) {
	end := s.ended(s.start(s.spec("exit 7")))
	if end.State != hpc.JobFailed || end.ExitCode != 7 {
		t.Errorf("exit 7 ended %s with %d", end.State, end.ExitCode)
	}
}

func testCancelHeld(t *testing.T, s suite) {
	id := s.submit(s.spec("sleep 0"))
	s.must("cancel", s.Scheduler.Cancel(t.Context(), id))
	if end := s.ended(id); end.State != hpc.JobCancelled {
		t.Errorf("the cancelled job ended %s", end.State)
	}
}

func testCancelRunning(t *testing.T, s suite) {
	id := s.start(s.spec("sleep 300"))
	job := s.queued(id, hpc.JobRunning)
	if len(job.Nodes) != 1 || job.Start.IsZero() || job.Cores < 1 {
		t.Errorf("the job runs since %v on %v with %d cores", job.Start, job.Nodes, job.Cores)
	}
	s.must("cancel", s.Scheduler.Cancel(t.Context(), id))
	if end := s.ended(id); end.State != hpc.JobCancelled {
		t.Errorf("the cancelled job ended %s", end.State)
	}
	s.idle()
}

func testBadArray(t *testing.T, s suite) {
	spec := s.spec("sleep 0")
	spec.Array = "nonsense"
	_, err := s.Scheduler.Submit(t.Context(), spec)
	s.is(err, scheduler.ErrRejected)
}

func testArray(t *testing.T, s suite) {
	spec := s.spec("exit 3")
	spec.Array = "1-5:2"
	id := s.start(spec)
	for _, task := range []string{"1", "3", "5"} {
		end := s.ended(id + "_" + task)
		if end.Array != id || end.Task != task || end.Token != spec.Token || end.ExitCode != 3 {
			t.Errorf("task %s ended as %+v", task, end)
		}
	}
}

func testCancelArray(t *testing.T, s suite) {
	spec := s.spec("sleep 0")
	spec.Array = "1-4"
	id := s.submit(spec)
	if job := s.queued(id, hpc.JobPending); job.Array != id || job.Task != "" {
		t.Errorf("the waiting array is %+v", job)
	}
	s.must("cancel", s.Scheduler.Cancel(t.Context(), id))
	if end := s.ended(id); end.State != hpc.JobCancelled || end.Token != spec.Token {
		t.Errorf("the cancelled array ended as %+v", end)
	}
}

func testCursor(t *testing.T, s suite) {
	first := s.start(s.spec("sleep 0"))
	s.ended(first)
	o := s.observe("")
	cursor := o.Cursor
	if again := s.observe(cursor); len(again.Ends) != 0 || again.Cursor != cursor {
		t.Errorf("after the cursor %q there are %d ends and the cursor %q", cursor, len(again.Ends), again.Cursor)
	}
	second := s.start(s.spec("sleep 0"))
	s.ended(second)
	o = s.observe(cursor)
	if len(o.Ends) != 1 || o.Ends[0].ID != second {
		t.Errorf("after the cursor the ends are %+v, want the one of job %s", o.Ends, second)
	}
}

func testUnknownJobs(t *testing.T, s suite) {
	s.must("release", s.Scheduler.Release(t.Context(), "99999999"))
	s.must("cancel", s.Scheduler.Cancel(t.Context(), "99999999"))
	id := s.submit(s.spec("sleep 0"))
	s.must("cancel", s.Scheduler.Cancel(t.Context(), "99999999", id))
	s.ended(id)
}

func testTooLarge(t *testing.T, s suite) {
	spec := s.spec("sleep 0")
	spec.Nodes = s.Nodes + 1
	id := s.start(spec)
	other := s.ended(s.start(s.spec("sleep 0")))
	if other.State != hpc.JobCompleted {
		t.Errorf("the job behind ended %s", other.State)
	}
	if job := s.queued(id, hpc.JobPending); job.Reason == "" {
		t.Error("the waiting job gives no reason")
	}
}
