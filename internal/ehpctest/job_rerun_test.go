package ehpctest

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	schedfake "ehpc/internal/scheduler/fake"
)

func TestRerunJobs(t *testing.T) {
	t.Parallel()
	w, p, id := withLongJobs(t)
	rerun := func(t *testing.T, ids ...string) error {
		return call(t, p, "RerunJobs", "ClusterId", id, "Jobs", named(ids...))
	}
	// jobs count their runs by name; "short" ones end at once, and the first run fails
	runs := make(chan string, 100)
	w.SchedulerOf(id).Script(func(spec hpc.JobSpec, _ string) schedfake.Outcome {
		runs <- spec.Name
		if strings.HasPrefix(spec.Name, "long") {
			return schedfake.Outcome{Duration: time.Hour}
		}
		return schedfake.Outcome{ExitCode: len(spec.Name) % 2}
	})
	ran := func(name string) (n int) {
		for {
			select {
			case one := <-runs:
				if one == name {
					n++
				}
			default:
				return n
			}
		}
	}
	submit := func(t *testing.T, name string, more func(*api.SubmitJobRequest)) string {
		q := job(id, "./run.sh")
		q.Name = name
		if more != nil {
			more(q)
		}
		return p.submit(t, q)
	}
	only := func(t *testing.T, jobID, state string) {
		t.Helper()
		n := 0
		for _, j := range p.jobs(t, id) {
			if j.Id == jobID {
				n++
			}
		}
		if got := p.untilState(t, id, jobID, state); n != 1 || got.Owner != "worker" {
			t.Errorf("%d jobs are listed as %s, one is %+v", n, jobID, got)
		}
	}
	t.Run("jobs that have ended run again under their ids", func(t *testing.T) {
		good, bad := submit(t, "ok", nil), submit(t, "bad", nil)
		p.untilState(t, id, good, "COMPLETED")
		p.untilState(t, id, bad, "FAILED")
		ran("")
		must(t, rerun(t, good, bad, good))
		p.Until(t, "both have run again", func() bool {
			var a api.ListJobsResponse
			must(t, p.Do(t.Context(), &api.ListJobsRequest{ClusterId: id, State: "finished", PageNumber: 1, PageSize: 50}, &a))
			return len(a.Jobs.JobInfo) == 2 && len(runs) == 2
		})
		only(t, good, "COMPLETED")
		only(t, bad, "FAILED")
	})
	t.Run("a job that was stopped runs again", func(t *testing.T) {
		one := submit(t, "long", nil)
		p.untilState(t, id, one, "RUNNING")
		must(t, call(t, p, "StopJobs", "ClusterId", id, "Jobs", named(one)))
		p.untilState(t, id, one, "CANCELLED")
		ran("")
		must(t, rerun(t, one))
		only(t, one, "RUNNING")
		if n := ran("long"); n != 1 {
			t.Errorf("it ran %d times more", n)
		}
		must(t, call(t, p, "StopJobs", "ClusterId", id, "Jobs", named(one)))
		only(t, one, "CANCELLED")
	})
	t.Run("a running one is stopped and begins anew, once", func(t *testing.T) {
		one := submit(t, "long-rerunable", func(q *api.SubmitJobRequest) { yes := true; q.ReRunable = &yes })
		p.untilState(t, id, one, "RUNNING")
		ran("")
		for range 2 { // as a client does that got no answer
			must(t, call(t, p, "RerunJobs", "ClusterId", id, "Jobs", named(one), "ClientToken", "again-1"))
		}
		p.Until(t, "it has begun anew", func() bool { return len(runs) > 0 })
		only(t, one, "RUNNING")
		if n, queued := ran("long-rerunable"), w.queued(t, id); n != 1 || queued != 1 {
			t.Errorf("it began %d times, the scheduler has %d jobs", n, queued)
		}
		must(t, call(t, p, "DeleteJobs", "ClusterId", id, "Jobs", named(one)))
		p.Until(t, "the scheduler has none", func() bool { return w.queued(t, id) == 0 })
	})
	t.Run("an array runs again as a whole", func(t *testing.T) {
		one := submit(t, "array", func(q *api.SubmitJobRequest) { q.ArrayRequest = "1-3" })
		p.untilState(t, id, one, "FAILED")
		ran("")
		must(t, rerun(t, one))
		p.Until(t, "three tasks have run", func() bool { return len(runs) == 3 })
		only(t, one, "FAILED")
	})
}

func TestWhatCannotBeRerun(t *testing.T) {
	t.Parallel()
	w, p, id := withLongJobs(t)
	runs, full := p.submit(t, job(id, "./one.sh")), job(id, "./full.sh")
	many := 100 // more than any node has
	yes := true
	full.Thread, full.ReRunable = &many, &yes
	waits := p.submit(t, full)
	p.untilState(t, id, runs, "RUNNING")
	must(t, call(t, p, "AddUsers", "ClusterId", id, "User.1.Name", "leaver", "User.1.Group", "users", "User.1.Password", password))
	q := job(id, "./run.sh")
	q.RunasUser = "leaver"
	orphan := p.submit(t, q)
	must(t, call(t, p, "DeleteUsers", "ClusterId", id, "User.1.Name", "leaver"))
	p.untilState(t, id, orphan, "CANCELLED")
	must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night"))
	q = job(id, "./run.sh")
	q.JobQueue = "night"
	late := p.submit(t, q)
	must(t, call(t, p, "StopJobs", "ClusterId", id, "Jobs", named(late)))
	p.untilState(t, id, late, "CANCELLED")
	must(t, call(t, p, "DeleteQueue", "ClusterId", id, "QueueName", "night"))
	other := withAccount(t, w, p, 0)
	for name, c := range map[string]struct{ cluster, jobs, code, says string }{
		"a running one that is not rerunable": {id, named(orphan, runs), "AgentError.Job.RerunFailure", "without ReRunable"},
		"one that waits":                      {id, named(waits), "AgentError.Job.RerunFailure", "job " + waits + ": it is PENDING and will run"},
		"one of a deleted account":            {id, named(orphan), "AgentError.Job.RerunFailure", "leaver was deleted"},
		"one of a deleted queue":              {id, named(late), "AgentError.Job.RerunFailure", `"night" does not exist`},
		"one of another cluster":              {other, named(runs), "ObjectNotFound", runs},
		"one that is not there, among others": {id, named(late, "77"), "PartFailure", "77"},
		"two that wait and are not there":     {id, named(waits, "77"), "PartFailure", "2 of 2 are refused: Jobs: job " + waits + ": it is PENDING and will run; Jobs: cluster " + id + ` has no job "77"`},
		"none":                                {id, "[]", "InvalidParams", "Jobs"},
		"what is no list":                     {id, "7", "InvalidParams", "Jobs"},
	} {
		t.Run(name, func(t *testing.T) {
			before := p.dump(t)
			_, err := p.Call(t.Context(), "RerunJobs", url.Values{"ClusterId": {c.cluster}, "Jobs": {c.jobs}})
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s and %q", err, c.code, c.says)
			}
			p.unchanged(t, before)
		})
	}
}
