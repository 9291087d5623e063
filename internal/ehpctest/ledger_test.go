package ehpctest

import (
	"context"
	"slices"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
)

// runsOf are the runs of the job with the id that SubmitJob answered, of all of
// its rows.
func (p *Plane) runsOf(t *testing.T, clusterID, publicID string) []*store.Run {
	t.Helper()
	all, err := p.Store.Read().AllRuns(t.Context(), clusterID)
	must(t, err)
	return slices.DeleteFunc(all, func(r *store.Run) bool { return r.PublicID != publicID })
}

// checkLedger holds a cluster whose jobs have all ended to what a ledger is: no
// run goes on, none overlaps another of its task, each job that ran is counted
// once, and the sums are those of the runs.
func (p *Plane) checkLedger(t *testing.T, clusterID string) {
	t.Helper()
	var runs []*store.Run
	p.Until(t, "no run goes on", func() bool {
		var err error
		runs, err = p.Store.Read().AllRuns(t.Context(), clusterID)
		must(t, err)
		return !slices.ContainsFunc(runs, func(r *store.Run) bool { return r.Ended.IsZero() })
	})
	counted := map[string]int{}
	var cost hpc.Money
	var core time.Duration
	for i, r := range runs {
		if _, known := counted[r.JobID]; !known {
			counted[r.JobID] = 0
		}
		if r.Counted {
			counted[r.JobID]++
		}
		cost += r.Cost
		for _, s := range r.Shares {
			core += time.Duration(s.Cores) * r.Ended.Sub(r.Started)
		}
		for _, o := range runs[:i] {
			if o.JobID == r.JobID && o.Task == r.Task && o.Started.Before(r.Ended) && r.Started.Before(o.Ended) {
				t.Errorf("two runs of job %s%s at a time: %v to %v and %v to %v", r.PublicID, r.Task, o.Started, o.Ended, r.Started, r.Ended)
			}
		}
	}
	jobs := 0
	for id, times := range counted {
		row, err := p.Store.Read().Job(t.Context(), id)
		must(t, err)
		if times != 1 {
			t.Errorf("job %s, which is %s, is counted %d times", row.PublicID, row.State, times)
		}
		jobs += times
	}
	var sum store.Usage
	for _, u := range p.usage(t, clusterID) {
		if u.Account != "" {
			sum.Jobs += u.Jobs
			sum.Cost += u.Cost
			sum.CoreTime += u.CoreTime
		}
	}
	if sum.Jobs != jobs || sum.Cost != cost || sum.CoreTime != core {
		t.Errorf("the sums are %d jobs, %v, %v; the runs %d, %v, %v", sum.Jobs, sum.CoreTime, sum.Cost, jobs, core, cost)
	}
}

func (p *Plane) usage(t *testing.T, clusterID string) (list []store.Usage) {
	t.Helper()
	must(t, p.Store.View(t.Context(), func(ctx context.Context, tx store.Tx) (err error) {
		list, err = tx.Usage(ctx, clusterID, time.Now().Add(-24*time.Hour), time.Now(), time.Now())
		return err
	}))
	return list
}

// lasting has the cluster's jobs run so long.
func (w *World) lasting(id string, d time.Duration) {
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: d} })
}

func submitted(t *testing.T, p *Plane, q *api.SubmitJobRequest) string {
	t.Helper()
	var a api.SubmitJobResponse
	must(t, p.Do(t.Context(), q, &a))
	return a.JobId
}

func TestEachRunIsWrittenDownOnce(t *testing.T) {
	t.Parallel()
	whole := t
	w := NewWorld(provfake.Options{})
	dir := t.TempDir()
	p := Start(t, w, Options{Dir: dir})
	id := withAccount(t, w, p, 2)
	w.lasting(id, 60*time.Millisecond)
	ended := func(jobs ...string) {
		t.Helper()
		p.Until(t, "the jobs have ended", func() bool {
			return !slices.ContainsFunc(p.jobs(t, id), func(j api.ListJobsJobInfo) bool {
				return slices.Contains(jobs, j.Id) && !hpc.JobState(j.State).Ended()
			})
		})
	}
	t.Run("of a plain job, seen running or not", func(t *testing.T) {
		long, short := submitted(t, p, job(id, "true")), submitted(t, p, job(id, "true"))
		ended(long, short)
		for _, name := range []string{long, short} {
			runs := p.runsOf(t, id, name)
			if len(runs) != 1 || !runs[0].Final || runs[0].Account != "worker" || runs[0].Cores != 1 || runs[0].Cost <= 0 || runs[0].Ended.Sub(runs[0].Started) < 60*time.Millisecond {
				t.Errorf("job %s: %+v", name, runs)
			}
		}
	})
	t.Run("of each task of an array, which is one job", func(t *testing.T) {
		q := job(id, "true")
		q.ArrayRequest = "1-5"
		array := submitted(t, p, q)
		ended(array)
		runs := p.runsOf(t, id, array)
		count := 0
		for _, r := range runs {
			if r.Counted {
				count++
			}
		}
		if len(runs) != 5 || count != 1 {
			t.Errorf("%d runs, counted %d times", len(runs), count)
		}
	})
	t.Run("none of a job that never started", func(t *testing.T) {
		q := job(id, "true")
		q.Node = new(int)
		*q.Node = 9
		never := submitted(t, p, q)
		must(t, call(t, p, "StopJobs", "ClusterId", id, "Jobs", named(never)))
		ended(never)
		if runs := p.runsOf(t, id, never); len(runs) != 0 {
			t.Errorf("%+v", runs)
		}
	})
	t.Run("over restarts of the service", func(t *testing.T) {
		w.lasting(id, 200*time.Millisecond)
		name := submitted(t, p, job(id, "true"))
		p.untilState(t, id, name, "RUNNING")
		for range 3 {
			p.Kill()
			time.Sleep(60 * time.Millisecond)
			p = Start(whole, w, Options{Dir: dir})
		}
		ended(name)
		if runs := p.runsOf(t, id, name); len(runs) != 1 || !runs[0].Counted {
			t.Errorf("%+v", runs)
		}
	})
	t.Run("of a job that goes back to the queue, both", func(t *testing.T) {
		w.lasting(id, time.Hour)
		q := job(id, "true")
		q.ReRunable = new(true)
		name := submitted(t, p, q)
		p.untilState(t, id, name, "RUNNING")
		w.lasting(id, 20*time.Millisecond)
		host := p.runsOf(t, id, name)[0].Shares[0].Host
		for _, n := range p.Nodes(t, id) {
			if n.HostName == host {
				w.SchedulerOf(id).PowerOff(host)
				w.Machines.Kill(n.Id)
			}
		}
		p.untilState(t, id, name, "COMPLETED")
		runs := p.runsOf(t, id, name)
		if len(runs) != 2 || runs[0].Final || !runs[1].Final || runs[0].Counted || !runs[1].Counted {
			t.Errorf("%+v", runs)
		}
	})
	t.Run("of a job that the scheduler lost and that runs again", func(t *testing.T) {
		w.lasting(id, time.Hour)
		q := job(id, "true")
		q.ReRunable = new(true)
		name := submitted(t, p, q)
		p.untilState(t, id, name, "RUNNING")
		w.lasting(id, 20*time.Millisecond)
		row, err := p.Store.Read().JobsOfPublic(t.Context(), id, []string{name})
		must(t, err)
		w.SchedulerOf(id).Lose(row[0].SchedID)
		w.SchedulerOf(id).Crash(0)
		p.untilState(t, id, name, "COMPLETED")
		runs := p.runsOf(t, id, name)
		if len(runs) != 2 || runs[0].State != hpc.JobNodeFail || !runs[1].Counted {
			t.Errorf("%+v", runs)
		}
	})
	t.Run("of a job that was submitted on a node", func(t *testing.T) {
		w.SchedulerOf(id).Guarded(schedfake.Fence{}) // it claims nothing
		byHand, err := w.SchedulerOf(id).Submit(t.Context(), hpc.JobSpec{Token: "strange", Script: "true", UID: 20000})
		must(t, err)
		must(t, w.SchedulerOf(id).Release(t.Context(), byHand))
		p.untilState(t, id, byHand, "COMPLETED")
		if runs := p.runsOf(t, id, byHand); len(runs) != 1 || runs[0].Account != "worker" {
			t.Errorf("%+v", runs)
		}
	})
	t.Run("of a job that was submitted on a node with the token of one that runs", func(t *testing.T) {
		w.lasting(id, time.Hour)
		name := submitted(t, p, job(id, "true"))
		p.untilState(t, id, name, "RUNNING")
		row, err := p.Store.Read().JobsOfPublic(t.Context(), id, []string{name})
		must(t, err)
		w.lasting(id, 20*time.Millisecond)
		stolen, err := w.SchedulerOf(id).Submit(t.Context(), hpc.JobSpec{Token: row[0].Token, Script: "true", UID: 20000})
		must(t, err)
		must(t, w.SchedulerOf(id).Release(t.Context(), stolen))
		p.untilState(t, id, stolen, "COMPLETED")
		if runs := p.runsOf(t, id, stolen); len(runs) != 1 || runs[0].Account != "worker" || runs[0].Ended.IsZero() {
			t.Errorf("%+v", runs)
		}
		if runs := p.runsOf(t, id, name); len(runs) != 1 || !runs[0].Ended.IsZero() {
			t.Errorf("of the job that the token is of: %+v", runs)
		}
		must(t, call(t, p, "StopJobs", "ClusterId", id, "Jobs", named(name)))
		p.untilState(t, id, name, "CANCELLED")
	})
	p.checkLedger(t, id)
}

func TestNodesAreChargedWhileTheyAreThere(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	dir, patient := t.TempDir(), limits // a busy machine is not to make nodes anew
	patient.Silent, patient.Join, patient.Agent = time.Minute, time.Minute, time.Minute
	p := Start(t, w, Options{Dir: dir, Limits: patient})
	id := withAccount(t, w, p, 2)
	must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night"))
	must(t, call(t, p, "SetQueue", "ClusterId", id, "QueueName", "night", "Node.1.Name", "compute001"))
	p.Kill()
	time.Sleep(50 * time.Millisecond)
	p = Start(t, w, Options{Dir: dir, Limits: patient})
	must(t, call(t, p, "DeleteNodes", "ClusterId", id, "Instance.1.Id", p.Nodes(t, id)[slices.IndexFunc(p.Nodes(t, id), func(n api.ListNodesNoPagingNodeInfo) bool { return n.HostName == "compute000" })].Id))
	p.Until(t, "the node is gone", func() bool { return len(p.Nodes(t, id)) == 3 })
	spans, err := p.Store.Read().AllSpans(t.Context(), id)
	must(t, err)
	open, queues := 0, map[string]int{}
	for i, s := range spans {
		queues[s.Queue]++
		if s.Ended.IsZero() {
			open++
		}
		if s.Price <= 0 {
			t.Errorf("span %+v has no price", s)
		}
		for _, o := range spans[:i] {
			if o.NodeID == s.NodeID && o.Queue != s.Queue && !o.Ended.Equal(s.Began) {
				t.Errorf("node %s is in %s until %v and in %s from %v on", s.Hostname, o.Queue, o.Ended, s.Queue, s.Began)
			}
		}
	}
	if len(spans) != 5 || open != 3 || queues["workq"] != 2 || queues["night"] != 1 || queues[""] != 2 {
		t.Errorf("%d spans, %d go on, by queue %v", len(spans), open, queues)
	}
	w.lasting(id, time.Hour)
	q := job(id, "true")
	q.JobQueue = "night"
	name := submitted(t, p, q)
	p.untilState(t, id, name, "RUNNING")
	must(t, p.Do(t.Context(), &api.DeleteClusterRequest{ClusterId: id}, &api.DeleteClusterResponse{}))
	p.Until(t, "the cluster is gone", func() bool {
		err := p.Do(t.Context(), &api.DescribeClusterRequest{ClusterId: id}, &api.DescribeClusterResponse{})
		return err != nil && codeOf(t, err) == "ClusterNotFound"
	})
	spans, err = p.Store.Read().AllSpans(t.Context(), id)
	must(t, err)
	if slices.ContainsFunc(spans, func(s *store.NodeSpan) bool { return s.Ended.IsZero() }) {
		t.Errorf("spans go on: %+v", spans)
	}
	if runs := p.runsOf(t, id, name); len(runs) != 1 || runs[0].Ended.IsZero() || runs[0].Cost <= 0 || !runs[0].Counted {
		t.Errorf("the job that ran: %+v", runs)
	}
}
