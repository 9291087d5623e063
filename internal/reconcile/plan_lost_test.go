package reconcile

import (
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

func TestJobsThatTheSchedulerDoesNotShow(t *testing.T) {
	t.Parallel()
	const miss = 2 * time.Second
	now := time.Unix(1_000_000, 0)
	row := func() *store.Job {
		return &store.Job{ID: "j1", PublicID: "1", SchedID: "1", Token: "ehpct", State: hpc.JobPending, Wanted: true,
			Released: true, NodeList: []string{}, Sight: now.Add(-time.Hour), Modified: now.Add(-time.Hour)}
	}
	look := func(r *store.Job, at, boot time.Time, queue ...scheduler.Job) jobsPlan {
		return planJobs(at, &jobsView{ClusterID: "c", Open: []*store.Job{r}, MissFor: miss, Seen: scheduler.Observation{Begun: at, Boot: boot, Queue: queue}})
	}
	t.Run("without a new start of the controller it has not been told of yet, or its end was overlooked", func(t *testing.T) {
		r, boot := row(), now.Add(-2*time.Hour)
		r.Sight = now.Add(-time.Minute)
		if p := look(r, now, boot); len(p.Save)+len(p.Doubt)+len(p.Overlooked) != 0 {
			t.Errorf("soon after it was seen: %+v", p)
		}
		look(r, now.Add(time.Hour), boot)
		if p := look(r, now.Add(time.Hour+overlookedFor/2), boot); len(p.Save)+len(p.Doubt)+len(p.Overlooked) != 0 {
			t.Errorf("too early: %+v", p)
		}
		if p := look(r, now.Add(time.Hour+overlookedFor), boot); len(p.Doubt) != 0 || len(p.Overlooked) != 1 {
			t.Errorf("at last: %+v", p)
		}
	})
	t.Run("an overlooked end is told by its runs, or by its not being wanted", func(t *testing.T) {
		run := hpc.Run{Token: "ehpct", N: 1, Ended: now, ExitCode: 3}
		for name, c := range map[string]struct {
			wanted bool
			runs   []hpc.Run
			state  hpc.JobState
		}{
			"stopped":   {false, nil, hpc.JobCancelled},
			"has run":   {true, []hpc.Run{run}, hpc.JobFailed},
			"never ran": {true, nil, hpc.JobPending},
		} {
			r := row()
			r.Missing, r.Wanted = now, c.wanted
			p := planLost(now, r, c.runs, overlooked, func(hpc.Run) whereabouts { return mayRun })
			if r.State != c.state || p.Save != (c.state != hpc.JobPending) || r.SchedID != "1" {
				t.Errorf("%s: plan %+v, row %+v", name, p, r)
			}
		}
	})
	t.Run("an array whose rest was forgotten is in doubt though ends of its tasks are told after that", func(t *testing.T) {
		r := row()
		r.Spec.Array = "1-3"
		end := scheduler.Job{ID: "1_1", Array: "1", Task: "1", State: hpc.JobCompleted, Start: now.Add(-time.Minute), End: now.Add(-10 * time.Second)}
		v := &jobsView{ClusterID: "c", Open: []*store.Job{r}, MissFor: miss, Seen: scheduler.Observation{Begun: now, Boot: now.Add(-5 * time.Second), Ends: []scheduler.Job{end}}}
		if planJobs(now, v); r.Ends != 1 || !r.Ended.IsZero() {
			t.Fatalf("row %+v", r)
		}
		look(r, now.Add(time.Second), now.Add(-5*time.Second))
		if p := look(r, now.Add(time.Second+miss), now.Add(-5*time.Second)); len(p.Doubt) != 1 {
			t.Errorf("plan %+v, row %+v", p, r)
		}
	})
	t.Run("after one it is in doubt once it has been missed for a while", func(t *testing.T) {
		r, boot := row(), now.Add(-time.Minute)
		if p := look(r, now, boot); len(p.Save) != 1 || len(p.Doubt) != 0 || r.Missing.IsZero() {
			t.Errorf("at first: %+v", p)
		}
		if p := look(r, now.Add(miss/2), boot); len(p.Save)+len(p.Doubt) != 0 {
			t.Errorf("too early: %+v", p)
		}
		if p := look(r, now.Add(miss), boot); len(p.Doubt) != 1 {
			t.Errorf("at last: %+v", p)
		}
		p := look(r, now.Add(miss), boot, scheduler.Job{ID: "1", State: hpc.JobPending})
		if len(p.Save) != 1 || len(p.Doubt) != 0 || !r.Missing.IsZero() {
			t.Errorf("when it is shown again: %+v, row %+v", p, r)
		}
	})
	t.Run("it is so too if its last sight, of before the start, is looked at after it", func(t *testing.T) {
		r := row()
		r.Reason = "Priority"
		boot := now.Truncate(time.Second)
		seen := scheduler.Observation{Begun: now.Add(-time.Millisecond), Boot: boot.Add(-time.Hour), Queue: []scheduler.Job{{ID: "1", State: hpc.JobPending, Reason: "Resources"}}}
		late := now.Add(10 * time.Second)
		if p := planJobs(late, &jobsView{ClusterID: "c", Open: []*store.Job{r}, MissFor: miss, Seen: seen}); len(p.Save) != 1 {
			t.Fatalf("plan %+v", p)
		}
		look(r, late, boot)
		if p := look(r, late.Add(miss), boot); len(p.Doubt) != 1 {
			t.Errorf("plan %+v, row %+v", p, r)
		}
	})
	t.Run("what others submitted is only told to be lost", func(t *testing.T) {
		r, boot := row(), now.Add(-time.Minute)
		r.Token = ""
		look(r, now, boot)
		if p := look(r, now.Add(strangeMissFor), boot); len(p.Doubt) != 0 || r.State != hpc.JobFailed || r.Reason == "" {
			t.Errorf("plan %+v, row %+v", p, r)
		}
	})
	t.Run("an ended job that comes back is cancelled, unless its owner put it back", func(t *testing.T) {
		for name, c := range map[string]struct {
			rerunable bool
			token     string
			restarts  int
			reopened  bool
		}{
			"forgotten":           {true, "ehpct", 0, false},
			"put back":            {true, "ehpct", 1, true},
			"put back in vain":    {false, "ehpct", 1, false},
			"not ours, so let be": {false, "", 0, true},
		} {
			r := row()
			r.Token, r.Spec.Rerunable, r.State, r.Ended = c.token, c.rerunable, hpc.JobCompleted, now
			p := planJobs(now, &jobsView{ClusterID: "c", Known: []*store.Job{r}, Seen: scheduler.Observation{Begun: now,
				Queue: []scheduler.Job{{ID: "1", State: hpc.JobPending, Restarts: c.restarts}}}})
			if c.reopened != r.Ended.IsZero() || c.reopened != (len(p.Save) == 1) || c.reopened == slices.Equal(p.Stop, []scheduler.Ref{{ID: "1"}}) {
				t.Errorf("%s: plan %+v, row %+v", name, p, r)
			}
		}
	})
	t.Run("a job that was submitted again since is not run under its old id", func(t *testing.T) {
		p := planJobs(now, &jobsView{ClusterID: "c", Resubmitted: map[string]bool{"ehpct": true}, Seen: scheduler.Observation{
			Begun: now, Queue: []scheduler.Job{{ID: "1", Token: "ehpct", State: hpc.JobPending}}}})
		if !slices.Equal(p.Stop, []scheduler.Ref{{ID: "1"}}) || len(p.Insert) != 0 {
			t.Errorf("plan %+v", p)
		}
	})
	t.Run("a lost job that is not wanted is over before it is submitted again", func(t *testing.T) {
		r := row()
		r.SchedID, r.Wanted = "", false
		if p := look(r, now, now); !slices.Equal(p.Stop, []scheduler.Ref{{Token: "ehpct"}}) || r.State != hpc.JobCancelled {
			t.Errorf("plan %+v, row %+v", p, r)
		}
	})
	t.Run("what a job's script came to counts, whatever happened to its node", func(t *testing.T) {
		for code, want := range map[int]hpc.JobState{0: hpc.JobCompleted, 3: hpc.JobFailed} {
			r := row()
			end := scheduler.Job{ID: "1", State: hpc.JobNodeFail, ExitCode: 1, End: now, Run: &hpc.Run{Began: now.Add(-time.Minute), Ended: now.Add(-time.Second), ExitCode: code}}
			planJobs(now, &jobsView{Open: []*store.Job{r}, Seen: scheduler.Observation{Begun: now, Ends: []scheduler.Job{end}}})
			if r.State != want || r.ExitCode != code || !r.Ended.Equal(now.Add(-time.Second)) {
				t.Errorf("row %+v", r)
			}
		}
	})
	t.Run("a job that had ended before its scheduler cancelled it was not cancelled", func(t *testing.T) {
		for ago, want := range map[time.Duration]hpc.JobState{8 * time.Second: hpc.JobCompleted, time.Second: hpc.JobCancelled, -time.Second: hpc.JobCancelled} {
			r := row()
			end := scheduler.Job{ID: "1", State: hpc.JobCancelled, End: now, Run: &hpc.Run{Began: now.Add(-time.Minute), Ended: now.Add(-ago)}}
			planJobs(now, &jobsView{Open: []*store.Job{r}, Seen: scheduler.Observation{Begun: now, Ends: []scheduler.Job{end}}})
			if r.State != want {
				t.Errorf("%v before: row %+v", ago, r)
			}
		}
	})
	t.Run("a job that was started a second time by a scheduler that had forgotten it ran when it did", func(t *testing.T) {
		r := row()
		again := now.Add(-2 * time.Second)
		end := scheduler.Job{ID: "1", State: hpc.JobCompleted, Start: again, End: now, Run: &hpc.Run{Began: now.Add(-time.Minute), Ended: now.Add(-50 * time.Second)}}
		completing := scheduler.Job{ID: "1", State: hpc.JobCompleting, Start: again}
		open := &store.Run{JobID: r.ID, Started: end.Run.Began.Add(-time.Second)}
		p := planJobs(now, &jobsView{Open: []*store.Job{r}, Runs: runsView{Open: []*store.Run{open}},
			Seen: scheduler.Observation{Begun: now, Queue: []scheduler.Job{completing}, Ends: []scheduler.Job{end}}})
		if len(p.Ledger.Runs) != 1 || open.State != hpc.JobCompleted || !open.Ended.Equal(end.Run.Ended) {
			t.Errorf("its runs are %+v", p.Ledger.Runs)
		}
		if !r.Started.Equal(end.Run.Began) || !r.Ended.Equal(end.Run.Ended) {
			t.Errorf("it ran from %v to %v", r.Started, r.Ended)
		}
	})
	t.Run("a job whose end is on record has ended though the controller takes it for running", func(t *testing.T) {
		start := now.Add(-5 * time.Second)
		for _, c := range []struct {
			name   string
			change func(e, j *scheduler.Job, r *store.Job)
			ended  bool
		}{
			{"as it does after a kill", func(e, j *scheduler.Job, r *store.Job) {}, true},
			{"but not if it runs again", func(e, j *scheduler.Job, r *store.Job) { j.Start = now }, false},
			{"nor if its node failed", func(e, j *scheduler.Job, r *store.Job) { e.State = hpc.JobNodeFail }, false},
			{"nor if others submitted it, who may run it again", func(e, j *scheduler.Job, r *store.Job) { r.Token, e.Run = "", nil }, false},
		} {
			r := row()
			e := scheduler.Job{ID: "1", Token: r.Token, State: hpc.JobCompleted, Start: start, End: now.Add(-time.Second), Nodes: []string{"a"},
				Run: &hpc.Run{Began: start, Ended: now.Add(-time.Second)}}
			j := scheduler.Job{ID: "1", Token: r.Token, State: hpc.JobRunning, Start: start, Nodes: []string{"a"}}
			c.change(&e, &j, r)
			p := planJobs(now, &jobsView{Open: []*store.Job{r}, Seen: scheduler.Observation{Begun: now, Queue: []scheduler.Job{j}, Ends: []scheduler.Job{e}}})
			if r.Ended.IsZero() == c.ended || c.ended && (r.State != hpc.JobCompleted || len(p.Ledger.Runs) != 1 || !p.Ledger.Runs[0].Final) {
				t.Errorf("%s: %+v, its runs %+v", c.name, r, p.Ledger.Runs)
			}
		}
	})
	t.Run("a job that was killed by a scheduler that had forgotten it has failed, and says why", func(t *testing.T) {
		run := hpc.Run{Host: "a", Began: now.Add(-time.Minute), Ended: now.Add(-2 * time.Second), ExitCode: 143, Killed: "signal 15"}
		for _, c := range []struct {
			name      string
			state     hpc.JobState
			start     time.Duration // before now
			rerunable bool
			unwanted  bool
			want      hpc.JobState
		}{
			{"its second start was cancelled", hpc.JobCancelled, 3 * time.Second, false, false, hpc.JobFailed},
			{"its second start was refused", hpc.JobFailed, 3 * time.Second, false, false, hpc.JobFailed},
			{"it was cancelled as it ran", hpc.JobCancelled, time.Minute, false, false, hpc.JobCancelled},
			{"it was cancelled before it ran again", hpc.JobCancelled, 3 * time.Second, true, false, hpc.JobCancelled},
			{"it was stopped", hpc.JobCancelled, 3 * time.Second, false, true, hpc.JobCancelled},
		} {
			r := row()
			r.Spec.Rerunable, r.Wanted = c.rerunable, !c.unwanted
			end := scheduler.Job{ID: "1", State: c.state, Reason: string(c.state), Start: now.Add(-c.start), End: now, Run: &run}
			completing := scheduler.Job{ID: "1", State: hpc.JobCompleting, Start: end.Start}
			planJobs(now, &jobsView{Open: []*store.Job{r}, Seen: scheduler.Observation{Begun: now, Queue: []scheduler.Job{completing}, Ends: []scheduler.Job{end}}})
			if r.State != c.want {
				t.Errorf("%s: it is %s", c.name, r.State)
			}
			if c.want == hpc.JobFailed && (r.Reason != "it was killed on a (signal 15) and may not be run again" || r.ExitCode != 143 || !r.Started.Equal(run.Began) || !r.Ended.Equal(run.Ended)) {
				t.Errorf("%s: row %+v", c.name, r)
			}
		}
	})
	t.Run("a job that runs again after a requeue is in doubt for a while, and now and then", func(t *testing.T) {
		r := row()
		running := scheduler.Job{ID: "1", State: hpc.JobRunning, Restarts: 1, Start: now}
		if p := look(r, now, now.Add(-2*time.Hour), running); len(p.Doubt) != 1 {
			t.Errorf("plan %+v", p)
		}
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{doubtFor - time.Second, 1}, {2*doubtFor + time.Minute/2, 0}, {2*doubtFor + time.Minute, 1}, {24 * time.Hour, 1}} {
			if p := look(r, now.Add(c.after), now.Add(-2*time.Hour), running); len(p.Doubt) != c.want {
				t.Errorf("after %v: %+v", c.after, p)
			}
		}
	})
}

func TestPlanLost(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	run := func(task string, n int) hpc.Run {
		return hpc.Run{Token: "ehpct", Task: task, N: n, Host: "a", Began: now.Add(-time.Minute)}
	}
	ended := func(r hpc.Run, code int) hpc.Run { r.Ended, r.ExitCode = now.Add(-time.Second), code; return r }
	killed := func(r hpc.Run) hpc.Run { r = ended(r, 137); r.Killed = "it was killed"; return r }
	here := func(hpc.Run) whereabouts { return mayRun }
	away := func(hpc.Run) whereabouts { return gone }
	for name, c := range map[string]struct {
		change func(*store.Job)
		runs   []hpc.Run
		where  func(hpc.Run) whereabouts
		state  hpc.JobState
		again  bool
		died   int
	}{
		"one that never ran is submitted again":              {state: hpc.JobAccepted, again: true},
		"one that completed has completed":                   {runs: []hpc.Run{ended(run("", 1), 0)}, state: hpc.JobCompleted},
		"one that failed has failed":                         {runs: []hpc.Run{ended(run("", 1), 9)}, state: hpc.JobFailed},
		"one that runs is let run":                           {runs: []hpc.Run{run("", 1)}, state: hpc.JobRunning},
		"one whose node is gone has died there":              {runs: []hpc.Run{run("", 1)}, where: away, state: hpc.JobRunning, died: 1},
		"one that was killed has failed":                     {runs: []hpc.Run{killed(run("", 1))}, state: hpc.JobFailed},
		"one that was killed and may be rerun runs again":    {change: func(r *store.Job) { r.Spec.Rerunable = true }, runs: []hpc.Run{killed(run("", 1))}, state: hpc.JobAccepted, again: true},
		"its last run counts":                                {change: func(r *store.Job) { r.Spec.Rerunable = true }, runs: []hpc.Run{killed(run("", 1)), ended(run("", 2), 0)}, state: hpc.JobCompleted},
		"one that was stopped is cancelled":                  {change: func(r *store.Job) { r.Wanted = false }, state: hpc.JobCancelled},
		"one that is queued is only looked after":            {change: func(r *store.Job) { r.Missing = time.Time{} }, runs: []hpc.Run{run("", 1)}, where: away, state: hpc.JobRunning, died: 1},
		"an array half done is submitted again as a whole":   {change: func(r *store.Job) { r.Spec.Array = "1-2" }, runs: []hpc.Run{ended(run("1", 1), 0)}, state: hpc.JobAccepted, again: true},
		"an array all of which ran has ended with its worst": {change: func(r *store.Job) { r.Spec.Array = "1-2" }, runs: []hpc.Run{ended(run("1", 1), 4), ended(run("2", 1), 0)}, state: hpc.JobFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &store.Job{PublicID: "1", SchedID: "1", Token: "ehpct", State: hpc.JobRunning, Wanted: true, Released: true, Missing: now}
			if c.change != nil {
				c.change(r)
			}
			if c.where == nil {
				c.where = here
			}
			p := planLost(now, r, c.runs, forgotten, c.where)
			again := r.Attempt == 1 && r.Spec.Attempt == 1 && r.SchedID == "" && !r.Released
			if r.State != c.state || again != c.again || len(p.Died) != c.died || p.Save != (r.State != hpc.JobRunning) {
				t.Errorf("plan %+v, row %+v", p, r)
			}
			if r.State.Ended() == r.Ended.IsZero() || c.state == hpc.JobFailed && r.ExitCode == 0 {
				t.Errorf("row %+v", r)
			}
		})
	}
}

func TestLargeArraysAreLookedAtApart(t *testing.T) {
	t.Parallel()
	row := func(array string) *store.Job { return &store.Job{Spec: hpc.JobSpec{Array: array}} }
	small, large, largest := row(""), row("1-60000"), row("1-100001")
	for name, c := range map[string]struct {
		rows []*store.Job
		want []int
	}{
		"none":                  {nil, nil},
		"small ones together":   {[]*store.Job{small, small, small}, []int{3}},
		"large ones apart":      {[]*store.Job{large, small, large, small}, []int{2, 2}},
		"the largest one alone": {[]*store.Job{small, largest, small}, []int{1, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			for some := range batches(c.rows) {
				got = append(got, len(some))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, expected %v", got, c.want)
			}
		})
	}
}
