package ehpctest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/scheduler"
	schedfake "ehpc/internal/scheduler/fake"
)

// withLongJobs is a running cluster whose jobs run for an hour unless they are stopped.
func withLongJobs(t *testing.T) (w *World, p *Plane, id string) {
	t.Helper()
	w = NewWorld(provfake.Options{})
	p = Start(t, w, Options{})
	id = withAccount(t, w, p, 2)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: time.Hour} })
	return w, p, id
}

func (p *Plane) submit(t *testing.T, q *api.SubmitJobRequest) (jobID string) {
	t.Helper()
	var a api.SubmitJobResponse
	must(t, p.Do(t.Context(), q, &a))
	return a.JobId
}

func (p *Plane) untilState(t *testing.T, id, jobID, state string) (got api.ListJobsJobInfo) {
	t.Helper()
	p.Until(t, "job "+jobID+" is "+state, func() bool {
		for _, j := range p.jobs(t, id) {
			if j.Id == jobID {
				got = j
			}
		}
		return got.State == state
	})
	return got
}

func named(ids ...string) string {
	entries := make([]string, len(ids))
	for i, id := range ids {
		entries[i] = fmt.Sprintf(`{"Id":%q}`, id)
	}
	return "[" + strings.Join(entries, ",") + "]"
}

func (w *World) queued(t *testing.T, id string) int {
	t.Helper()
	seen, err := w.SchedulerOf(id).Observe(t.Context(), "")
	must(t, err)
	return len(seen.Queue)
}

func TestStopJobs(t *testing.T) {
	t.Parallel()
	w, p, id := withLongJobs(t)
	stop := func(t *testing.T, ids ...string) error {
		return p.Do(t.Context(), &api.StopJobsRequest{ClusterId: id, Jobs: named(ids...)}, &api.StopJobsResponse{})
	}
	t.Run("running jobs are cancelled", func(t *testing.T) {
		one, two := p.submit(t, job(id, "./one.sh")), p.submit(t, job(id, "./two.sh"))
		p.untilState(t, id, one, "RUNNING")
		must(t, stop(t, one, two, one))
		p.untilState(t, id, one, "CANCELLED")
		p.untilState(t, id, two, "CANCELLED")
		if n := w.queued(t, id); n != 0 {
			t.Errorf("the scheduler still has %d jobs", n)
		}
	})
	t.Run("a job that has ended is no obstacle", func(t *testing.T) {
		ended, runs := p.submit(t, job(id, "./one.sh")), p.submit(t, job(id, "./two.sh"))
		must(t, stop(t, ended))
		p.untilState(t, id, ended, "CANCELLED")
		must(t, stop(t, runs, ended))
		p.untilState(t, id, runs, "CANCELLED")
		must(t, stop(t, runs, ended))
		if n := p.lines(t, id, "jobs to be stopped: "+runs); n != 1 {
			t.Errorf("%d lines of the log tell that job %s was stopped alone", n, runs)
		}
	})
	t.Run("jobs that are not there are told, and none is stopped", func(t *testing.T) {
		runs := p.submit(t, job(id, "./one.sh"))
		p.untilState(t, id, runs, "RUNNING")
		for _, c := range []struct{ jobs, code string }{{named(runs, "77", "78"), "PartFailure"}, {named("77", "78"), "ObjectNotFound"}} {
			_, err := p.Call(t.Context(), "StopJobs", url.Values{"ClusterId": {id}, "Jobs": {c.jobs}})
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), `has no job "77"`) || !strings.Contains(err.Error(), `has no job "78"`) {
				t.Errorf("%v, want %s with both", err, c.code)
			}
		}
		p.untilState(t, id, runs, "RUNNING")
		must(t, stop(t, runs))
	})
	t.Run("an array is one job", func(t *testing.T) {
		q := job(id, "./task.sh")
		q.ArrayRequest = "1-500"
		array := p.submit(t, q)
		p.untilState(t, id, array, "RUNNING")
		must(t, stop(t, array))
		p.untilState(t, id, array, "CANCELLED")
	})
	t.Run("a scheduler that does not answer is asked again later", func(t *testing.T) {
		one := p.submit(t, job(id, "./one.sh"))
		p.untilState(t, id, one, "RUNNING")
		w.SchedulerOf(id).Fail("Cancel", scheduler.ErrUnavailable)
		must(t, stop(t, one))
		p.untilState(t, id, one, "CANCELLED")
	})
	t.Run("a repeated request is answered as the first was", func(t *testing.T) {
		one := p.submit(t, job(id, "./one.sh"))
		q := url.Values{"ClusterId": {id}, "Jobs": {named(one)}, "ClientToken": {"stop-1"}}
		for range 2 {
			_, err := p.Call(t.Context(), "StopJobs", q)
			must(t, err)
			p.untilState(t, id, one, "CANCELLED")
		}
		q.Set("Jobs", named(one, "77"))
		_, err := p.Call(t.Context(), "StopJobs", q)
		if got := codeOf(t, err); got != "IdempotentParameterMismatch" {
			t.Errorf("code %s with other parameters", got)
		}
	})
}

func TestAStoppedJobIsCancelledAfterARestart(t *testing.T) {
	t.Parallel()
	w, dir := NewWorld(provfake.Options{}), t.TempDir()
	p := Start(t, w, Options{Dir: dir})
	id := withAccount(t, w, p, 1)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: time.Hour} })
	one := p.submit(t, job(id, "./one.sh"))
	p.untilState(t, id, one, "RUNNING")
	w.SchedulerOf(id).Stop()
	must(t, p.Do(t.Context(), &api.StopJobsRequest{ClusterId: id, Jobs: named(one)}, &api.StopJobsResponse{}))
	p.Kill()
	w.SchedulerOf(id).Start()
	again := Start(t, w, Options{Dir: dir})
	again.untilState(t, id, one, "CANCELLED")
}

func TestDeleteJobs(t *testing.T) {
	t.Parallel()
	w, p, id := withLongJobs(t)
	remove := func(t *testing.T, ids ...string) error {
		return p.Do(t.Context(), &api.DeleteJobsRequest{ClusterId: id, Jobs: named(ids...)}, &api.DeleteJobsResponse{})
	}
	stays := p.submit(t, job(id, "./stays.sh"))
	p.untilState(t, id, stays, "RUNNING")
	onlyOneStays := func(t *testing.T) {
		t.Helper()
		if jobs := p.jobs(t, id); len(jobs) != 1 || jobs[0].Id != stays {
			t.Errorf("jobs %+v", jobs)
		}
	}
	t.Run("a running job is stopped and listed no more", func(t *testing.T) {
		one := p.submit(t, job(id, "./one.sh"))
		p.untilState(t, id, one, "RUNNING")
		must(t, remove(t, one))
		p.Until(t, "the scheduler has only the other", func() bool { return w.queued(t, id) == 1 })
		onlyOneStays(t)
		if got := codeOf(t, remove(t, one)); got != "ObjectNotFound" {
			t.Errorf("code %s when it is deleted again", got)
		}
	})
	t.Run("a job that the scheduler still reports does not come back", func(t *testing.T) {
		one, marker := p.submit(t, job(id, "./one.sh")), ""
		w.SchedulerOf(id).Fail("Cancel", scheduler.ErrUnavailable)
		must(t, remove(t, one))
		marker = p.submit(t, job(id, "./marker.sh"))
		p.untilState(t, id, marker, "RUNNING") // the queue was read with the deleted job in it
		must(t, remove(t, marker))
		p.Until(t, "the scheduler has only the other", func() bool { return w.queued(t, id) == 1 })
		onlyOneStays(t)
	})
	t.Run("all or none", func(t *testing.T) {
		err := remove(t, stays, "77")
		if got := codeOf(t, err); got != "PartFailure" || !strings.Contains(err.Error(), "77") {
			t.Errorf("%v", err)
		}
		onlyOneStays(t)
	})
}

func TestBadJobIDs(t *testing.T) {
	t.Parallel()
	w, p, id := withLongJobs(t)
	other := withAccount(t, w, p, 1)
	one := p.submit(t, job(id, "./one.sh"))
	for _, c := range []struct{ name, cluster, jobs, code, says string }{
		{"a job of another cluster", other, named(one), "ObjectNotFound", one},
		{"a job that is not there", id, named(one, "77"), "PartFailure", `"77"`},
		{"no jobs", id, "[]", "InvalidParams", "Jobs has 0 entries"},
		{"too many jobs", id, named(make([]string, 1001)...), "InvalidParams", "1001 entries"},
		{"an entry without an id", id, `[{"Id":"1"},{}]`, "InvalidParams", "entry 2 has no Id"},
		{"an id that is a number", id, `[{"Id":1}]`, "InvalidParams", "Jobs"},
		{"one object", id, `{"Id":"1"}`, "InvalidParams", "Jobs"},
		{"no JSON", id, `1,2`, "InvalidParams", "Jobs"},
		{"an unknown cluster", "ehpc-hz-none", named(one), "ClusterNotFound", "ehpc-hz-none"},
	} {
		for _, action := range []string{"StopJobs", "DeleteJobs"} {
			t.Run(action+" refuses "+c.name, func(t *testing.T) {
				_, err := p.Call(t.Context(), action, url.Values{"ClusterId": {c.cluster}, "Jobs": {c.jobs}})
				if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %s and %q", err, c.code, c.says)
				}
			})
		}
	}
	p.untilState(t, id, one, "RUNNING")
}
