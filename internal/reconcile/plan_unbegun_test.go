package reconcile

import (
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

func TestEndsWithoutARun(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	nodes := []string{"a"}
	for name, c := range map[string]struct {
		end    scheduler.Job
		change func(*store.Job)
		want   hpc.JobState
	}{
		"one that failed is submitted again":                   {scheduler.Job{State: hpc.JobFailed, ExitCode: 1, Nodes: nodes}, nil, hpc.JobAccepted},
		"one whose start was given up is submitted again":      {scheduler.Job{State: hpc.JobCancelled, GivenUp: true, Nodes: nodes}, nil, hpc.JobAccepted},
		"one whose owner cancelled it is not":                  {scheduler.Job{State: hpc.JobCancelled, Nodes: nodes}, nil, hpc.JobCancelled},
		"one that waited when it was cancelled is not":         {scheduler.Job{State: hpc.JobCancelled}, nil, hpc.JobCancelled},
		"one whose node failed is submitted again":             {scheduler.Job{State: hpc.JobNodeFail, Nodes: nodes}, nil, hpc.JobAccepted},
		"one that was over its time is submitted again":        {scheduler.Job{State: hpc.JobTimeout, Nodes: nodes}, nil, hpc.JobAccepted},
		"one over its memory is not":                           {scheduler.Job{State: hpc.JobOOM, Nodes: nodes, ExitCode: 137}, nil, hpc.JobOOM},
		"one whose directory is missing is not":                {scheduler.Job{State: hpc.JobFailed, ExitCode: hpc.ExitNotLaunched, Nodes: nodes}, nil, hpc.JobFailed},
		"one that was stopped through the service is not":      {scheduler.Job{State: hpc.JobCancelled, GivenUp: true, Nodes: nodes}, func(r *store.Job) { r.Wanted = false }, hpc.JobCancelled},
		"one that was submitted so often has failed at last":   {scheduler.Job{State: hpc.JobNodeFail, Nodes: nodes}, func(r *store.Job) { r.Attempt = startsLimit - 1 }, hpc.JobFailed},
		"one that was submitted on a node is not ours to redo": {scheduler.Job{State: hpc.JobNodeFail, Nodes: nodes}, func(r *store.Job) { r.Token = "" }, hpc.JobNodeFail},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row := &store.Job{ID: "j", PublicID: "1", SchedID: "1", Token: "ehpct", State: hpc.JobRunning, Wanted: true, Released: true, NodeList: []string{}}
			if c.change != nil {
				c.change(row)
			}
			c.end.ID, c.end.Token, c.end.Start, c.end.End = "1", row.Token, now, now
			planJobs(now, &jobsView{Open: []*store.Job{row}, Seen: scheduler.Observation{Begun: now, Ends: []scheduler.Job{c.end}}})
			if row.State != c.want {
				t.Errorf("the row is %s, want %s", row.State, c.want)
			}
		})
	}
}

// A busy node's job may be given up by the scheduler while its script goes on.
func TestAScriptThatGoesOnIsWaitedFor(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	run := hpc.Run{Token: "ehpct", N: 1, ID: "1", Host: "a", Began: now.Add(-time.Minute)}
	row := &store.Job{ID: "j", PublicID: "1", SchedID: "1", Token: "ehpct", State: hpc.JobRunning, Wanted: true, Released: true,
		NodeList: []string{"a"}, Started: run.Began, Sight: now}
	look := func(queue, ends []scheduler.Job) jobsPlan {
		return planJobs(now, &jobsView{Open: []*store.Job{row}, Seen: scheduler.Observation{Begun: now, Boot: now.Add(-time.Hour), Queue: queue, Ends: ends}})
	}
	where := func(hpc.Run) whereabouts { return mayRun }
	job := scheduler.Job{ID: "1", Token: "ehpct", State: hpc.JobNodeFail, Nodes: []string{"a"}, Start: run.Began, End: now, Run: &run}
	if p := look(nil, []scheduler.Job{job}); len(p.Save) != 1 || len(p.Doubt) != 1 || !row.Ended.IsZero() {
		t.Fatalf("at the scheduler's word: plan %+v, row %+v", p, row)
	}
	job.State, job.Run = hpc.JobCompleting, nil
	for _, queue := range [][]scheduler.Job{{job}, nil} {
		if p := look(queue, nil); len(p.Doubt) != 1 || !row.Ended.IsZero() {
			t.Fatalf("while %d are in the queue: plan %+v, row %+v", len(queue), p, row)
		}
	}
	if p := planLost(now, row, []hpc.Run{run}, forgotten, where); p.Save {
		t.Fatalf("while the script goes on: plan %+v, row %+v", p, row)
	}
	run.Ended = now
	if p := planLost(now, row, []hpc.Run{run}, forgotten, where); !p.Save || row.State != hpc.JobCompleted || row.ExitCode != 0 {
		t.Errorf("once it has ended: plan %+v, row %+v", p, row)
	}
}
