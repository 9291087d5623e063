package reconcile

import (
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

func TestPlanJobs(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	row := func(id string) *store.Job {
		return &store.Job{ID: "j" + id, PublicID: id, SchedID: id, Token: "ehpct" + id, State: hpc.JobPending, Wanted: true,
			Released: true, NodeList: []string{}, Modified: now.Add(-time.Hour)}
	}
	plan := func(rows []*store.Job, seen scheduler.Observation) jobsPlan {
		seen.Begun = now
		return planJobs(now, &jobsView{ClusterID: "c", Open: rows, Names: map[int]string{0: "root", 20000: "worker"}, Seen: seen})
	}
	t.Run("a job that starts is seen running on its nodes", func(t *testing.T) {
		r := row("1")
		p := plan([]*store.Job{r}, scheduler.Observation{Queue: []scheduler.Job{{ID: "1", State: hpc.JobRunning, Nodes: []string{"a", "b"}, Cores: 4, Start: now}}})
		if len(p.Save) != 1 || r.State != hpc.JobRunning || r.Nodes != 2 || r.Cores != 4 || !r.Started.Equal(now) {
			t.Errorf("row %+v", r)
		}
	})
	t.Run("what has not changed is not written", func(t *testing.T) {
		r := row("1")
		if p := plan([]*store.Job{r}, scheduler.Observation{Queue: []scheduler.Job{{ID: "1", State: hpc.JobPending}}}); len(p.Save) != 0 {
			t.Errorf("saved %v", p.Save)
		}
	})
	t.Run("what an end says counts, though the queue still shows the job", func(t *testing.T) {
		r := row("1")
		p := plan([]*store.Job{r}, scheduler.Observation{
			Queue: []scheduler.Job{{ID: "1", State: hpc.JobCompleting, Reason: "NonZeroExitCode", Start: now}},
			Ends:  []scheduler.Job{{ID: "1", State: hpc.JobFailed, ExitCode: 2, Start: now, End: now, Submit: now, Run: &hpc.Run{Began: now, Ended: now, ExitCode: 2}}},
		})
		if len(p.Save) != 1 || r.State != hpc.JobFailed || r.Reason != "" {
			t.Errorf("row %+v", r)
		}
	})
	t.Run("a start that is told more exactly than the store keeps it is no change", func(t *testing.T) {
		r, start := row("1"), now.Add(123456789*time.Nanosecond)
		r.State, r.Started = hpc.JobRunning, start.Truncate(time.Microsecond)
		if p := plan([]*store.Job{r}, scheduler.Observation{Queue: []scheduler.Job{{ID: "1", State: hpc.JobRunning, Start: start}}}); len(p.Save) != 0 {
			t.Errorf("saved %v", p.Save)
		}
	})
	t.Run("a job that the scheduler does not show is left as it is", func(t *testing.T) {
		r := row("1")
		r.State = hpc.JobRunning
		r.Sight = now.Add(-time.Minute)
		if p := plan([]*store.Job{r}, scheduler.Observation{}); len(p.Save) != 0 || r.State != hpc.JobRunning {
			t.Errorf("row %+v", r)
		}
	})
	t.Run("a job of ours that no row has is younger than a restored store, and wanted if it was released", func(t *testing.T) {
		for _, held := range []bool{false, true} {
			seen := scheduler.Observation{Queue: []scheduler.Job{{ID: "9", Token: "ehpct9", State: hpc.JobPending, Held: held, UID: 20000}}}
			if p := plan(nil, seen); len(p.Insert) != 0 {
				t.Errorf("held %v: inserted %v, though another pass will know its row", held, p.Insert)
			}
			p := planJobs(now, &jobsView{ClusterID: "c", Names: map[int]string{20000: "worker"}, Orphans: map[string]bool{"ehpct9": true}, Seen: seen})
			if len(p.Insert) != 1 || p.Insert[0].PublicID != "9" || p.Insert[0].Owner != "worker" || p.Insert[0].Wanted == held {
				t.Errorf("held %v: plan %+v", held, p)
			}
		}
	})
	t.Run("a job that is not wanted and was killed is cancelled, whoever killed it", func(t *testing.T) {
		for _, c := range []struct {
			wanted bool
			code   int
			state  hpc.JobState
		}{{false, 137, hpc.JobCancelled}, {true, 137, hpc.JobFailed}, {false, 3, hpc.JobFailed}} {
			r := row("1")
			r.Wanted = c.wanted
			plan([]*store.Job{r}, scheduler.Observation{Ends: []scheduler.Job{{ID: "1", State: hpc.JobFailed, ExitCode: c.code, Start: now, End: now, Submit: now}}})
			if r.State != c.state {
				t.Errorf("wanted %v, exit status %d: %s, want %s", c.wanted, c.code, r.State, c.state)
			}
		}
	})
	t.Run("the rest of a record ends its job, and makes none", func(t *testing.T) {
		r := row("1")
		cut := func(id string) scheduler.Job {
			return scheduler.Job{ID: id, UID: 20000, State: hpc.JobFailed, Nodes: []string{"a"}, Start: now, End: now}
		}
		p := plan([]*store.Job{r}, scheduler.Observation{Ends: []scheduler.Job{cut("1"), cut("7")}})
		if len(p.Insert) != 0 || r.State != hpc.JobFailed || r.Ended.IsZero() {
			t.Errorf("inserted %v; row %+v", p.Insert, r)
		}
	})
	t.Run("a job whose release the scheduler has forgotten is released again", func(t *testing.T) {
		for _, c := range []struct {
			name   string
			boot   time.Duration // after its last sight
			before string        // what the job was last seen to wait for
			again  bool
		}{
			{"by a controller that crashed", time.Second, "Resources", true},
			{"by a controller that crashed within the second", -time.Second / 2, "", true},
			{"not when its owner holds it", -time.Minute, "Resources", false},
			{"by a controller whose clock is behind", -3 * time.Second, "Resources", true},
			{"not when its owner held it before the crash", time.Second, "JobHeldUser", false},
		} {
			r := row("1")
			r.Reason, r.Sight = c.before, now.Add(-time.Hour)
			held := scheduler.Job{ID: "1", State: hpc.JobPending, Held: true, Reason: "JobHeldUser"}
			p := plan([]*store.Job{r}, scheduler.Observation{Begun: now, Boot: r.Sight.Add(c.boot), Queue: []scheduler.Job{held}})
			if r.Released == c.again {
				t.Errorf("%s: released is %v", c.name, r.Released)
			}
			if c.again && len(p.Save) != 1 {
				t.Errorf("%s: it is not noted that the release is still to be done: %+v", c.name, r)
			}
		}
	})
	t.Run("a job that was seen waiting since the controller came back is held by its owner", func(t *testing.T) {
		r := row("1")
		r.Reason, r.Sight, r.Modified = "Resources", now.Add(-time.Hour), now.Add(-time.Hour)
		waits := scheduler.Job{ID: "1", State: hpc.JobPending, Reason: "Resources"}
		seen := scheduler.Observation{Begun: now, Boot: now.Add(-time.Minute), Queue: []scheduler.Job{waits}}
		if p := plan([]*store.Job{r}, seen); len(p.Save) != 1 {
			t.Errorf("it is not noted that it waits: %+v", r)
		}
		if p := plan([]*store.Job{r}, seen); len(p.Save) != 0 {
			t.Errorf("it is noted again: %+v", r)
		}
		waits.Held, waits.Reason = true, "JobHeldUser"
		seen.Queue = []scheduler.Job{waits}
		if plan([]*store.Job{r}, seen); !r.Released {
			t.Error("it is released although its owner holds it")
		}
	})
	t.Run("a job that runs, or that waits a second after the controller's start, was released for it", func(t *testing.T) {
		for state, after := range map[hpc.JobState]time.Duration{hpc.JobRunning: time.Hour, hpc.JobPending: 2 * time.Second} {
			r := row("1")
			r.State, r.Sight = state, now.Add(-2*time.Hour)
			boot := now.Add(-after)
			shown := scheduler.Job{ID: "1", State: state}
			plan([]*store.Job{r}, scheduler.Observation{Boot: boot, Queue: []scheduler.Job{shown}})
			shown.State, shown.Held, shown.Reason = hpc.JobPending, true, "JobHeldUser"
			if plan([]*store.Job{r}, scheduler.Observation{Boot: boot, Queue: []scheduler.Job{shown}}); !r.Released {
				t.Errorf("seen %s %v after the start, it is released although its owner holds it", state, after)
			}
		}
	})
	t.Run("a job that was seen held before its release is released again by a controller that forgot that", func(t *testing.T) {
		r := row("1")
		r.Sight, r.Modified = now.Add(-2*time.Second), now // the release, while the controller was asked
		held := scheduler.Job{ID: "1", State: hpc.JobPending, Held: true, Reason: "JobHeldUser"}
		look := func(after, boot time.Duration) {
			seen := scheduler.Observation{Begun: now.Add(after), Boot: now.Add(boot), Queue: []scheduler.Job{held}}
			planJobs(now.Add(after), &jobsView{ClusterID: "c", Open: []*store.Job{r}, Seen: seen})
		}
		look(-time.Second, -time.Hour)
		if !r.Released {
			t.Fatal("it is released again")
		}
		if look(9*time.Second, 2*time.Second); r.Released {
			t.Error("it waits for ever")
		}
	})
	t.Run("an unwanted job is cancelled and never released", func(t *testing.T) {
		r := row("1")
		r.Released, r.Wanted = false, false
		p := plan([]*store.Job{r}, scheduler.Observation{Queue: []scheduler.Job{{ID: "1", State: hpc.JobPending}}})
		if !slices.Equal(p.Stop, []scheduler.Ref{{ID: "1", Token: r.Token}}) {
			t.Errorf("stopped %v", p.Stop)
		}
	})
	t.Run("a job whose request died is cancelled by its token once it is old", func(t *testing.T) {
		r := row("")
		seen := scheduler.Observation{Queue: []scheduler.Job{{ID: "9", Token: r.Token, State: hpc.JobPending}}}
		if p := plan([]*store.Job{r}, seen); !slices.Equal(p.Stop, []scheduler.Ref{{ID: "9", Token: r.Token}}) || len(p.Insert) != 0 {
			t.Errorf("cancelled %v, inserted %v", p.Stop, p.Insert)
		} else if r.Wanted || len(p.Save) != 1 {
			t.Errorf("its request may still be answered with its id: %+v", r)
		}
		r = row("")
		r.Modified = now.Add(-time.Second)
		if p := plan([]*store.Job{r}, seen); len(p.Stop) != 0 {
			t.Errorf("a job whose request may still be under way was cancelled: %v", p.Stop)
		}
		seen.Begun = now
		v := &jobsView{ClusterID: "c", Open: []*store.Job{r}, Names: map[int]string{}, Seen: seen, Started: now}
		if p := planJobs(now, v); len(p.Stop) != 1 {
			t.Errorf("one whose request went with the server that it was made to was not: %v", p.Stop)
		}
	})
	t.Run("what the scheduler refused to take is no job, and one that has failed on a node is", func(t *testing.T) {
		end := scheduler.Job{ID: "9", UID: 20000, State: hpc.JobFailed, ExitCode: 1, Submit: now, End: now}
		if p := plan(nil, scheduler.Observation{Ends: []scheduler.Job{end}}); len(p.Insert) != 0 {
			t.Errorf("inserted %+v", p.Insert[0])
		}
		end.Nodes, end.Start = []string{"compute000"}, now
		cancelled := scheduler.Job{ID: "10", UID: 20000, State: hpc.JobCancelled, Submit: now, End: now}
		if p := plan(nil, scheduler.Observation{Ends: []scheduler.Job{end, cancelled}}); len(p.Insert) != 2 {
			t.Errorf("inserted %+v", p.Insert)
		}
	})
	t.Run("a job that a deleted account submitted on a node is not wanted", func(t *testing.T) {
		v := &jobsView{ClusterID: "c", Names: map[int]string{20000: "worker"}, Gone: map[int]bool{20000: true},
			Seen: scheduler.Observation{Begun: now, Queue: []scheduler.Job{{ID: "7", UID: 20000, State: hpc.JobPending}}}}
		p := planJobs(now, v)
		if len(p.Insert) != 1 || p.Insert[0].Wanted {
			t.Fatalf("inserted %+v", p.Insert)
		}
		v.Open = p.Insert
		if p := planJobs(now, v); !slices.Equal(p.Stop, []scheduler.Ref{{ID: "7"}}) {
			t.Errorf("cancelled %v", p.Stop)
		}
	})
	t.Run("a job submitted on a node gets a row of its own", func(t *testing.T) {
		p := plan(nil, scheduler.Observation{Queue: []scheduler.Job{{ID: "5", UID: 20000, Name: "own", State: hpc.JobRunning, Submit: now}}})
		if len(p.Insert) != 1 || p.Insert[0].Owner != "worker" || p.Insert[0].PublicID != "5" || p.Insert[0].State != hpc.JobRunning {
			t.Errorf("inserted %+v", p.Insert)
		}
	})
	t.Run("a job that is held for a budget is to be released, one that its owner holds is not", func(t *testing.T) {
		for _, closed := range []bool{true, false} {
			p := plan(nil, scheduler.Observation{Queue: []scheduler.Job{{ID: "5", UID: 20000, State: hpc.JobPending, Held: true, Closed: closed, Submit: now}}})
			if len(p.Insert) != 1 || p.Insert[0].Released == closed || !p.Insert[0].Wanted {
				t.Errorf("closed is %t, inserted %+v", closed, p.Insert)
			}
		}
	})
	t.Run("an array ends with its last task", func(t *testing.T) {
		r := row("7")
		r.Spec.Array = "1-2"
		end := func(task string, code int, state hpc.JobState) scheduler.Job {
			return scheduler.Job{ID: "7_" + task, Array: "7", Task: task, State: state, ExitCode: code, End: now}
		}
		plan([]*store.Job{r}, scheduler.Observation{Ends: []scheduler.Job{end("1", 4, hpc.JobFailed)}})
		if !r.Ended.IsZero() {
			t.Fatalf("it ended with its first task: %+v", r)
		}
		plan([]*store.Job{r}, scheduler.Observation{Ends: []scheduler.Job{end("2", 0, hpc.JobCompleted)}})
		if r.State != hpc.JobFailed || r.ExitCode != 4 || r.Ended.IsZero() {
			t.Errorf("row %+v", r)
		}
	})
	t.Run("a job has ended as soon as its end is told, though its nodes are not cleared yet", func(t *testing.T) {
		r := row("1")
		completing := []scheduler.Job{{ID: "1", State: hpc.JobCompleting}}
		plan([]*store.Job{r}, scheduler.Observation{Queue: completing, Ends: []scheduler.Job{{ID: "1", State: hpc.JobTimeout, End: now}}})
		if r.State != hpc.JobTimeout || !r.Ended.Equal(now) {
			t.Errorf("row %+v", r)
		}
	})
	t.Run("a job whose node failed ends unless it comes back to the queue", func(t *testing.T) {
		for _, back := range []bool{true, false} {
			r := row("1")
			failed := []scheduler.Job{{ID: "1", State: hpc.JobNodeFail, End: now}}
			plan([]*store.Job{r}, scheduler.Observation{Queue: []scheduler.Job{{ID: "1", State: hpc.JobCompleting}}, Ends: failed})
			if !r.Ended.IsZero() {
				t.Fatalf("it ended before it could come back: %+v", r)
			}
			var queue []scheduler.Job
			if back {
				queue = []scheduler.Job{{ID: "1", State: hpc.JobPending, Restarts: 1}}
			}
			plan([]*store.Job{r}, scheduler.Observation{Queue: queue})
			if back != r.Ended.IsZero() || back != (r.State == hpc.JobPending) {
				t.Errorf("back in the queue %t: row %+v", back, r)
			}
		}
	})
	t.Run("an array that is cancelled while it waits ends with one end, and with those of its running tasks", func(t *testing.T) {
		r := row("7")
		r.Spec.Array = "1-5"
		plan([]*store.Job{r}, scheduler.Observation{Queue: []scheduler.Job{{ID: "7_1", Array: "7", Task: "1", State: hpc.JobRunning}},
			Ends: []scheduler.Job{{ID: "7", State: hpc.JobCancelled, End: now}}})
		if !r.Ended.IsZero() {
			t.Fatalf("it ended while a task runs: %+v", r)
		}
		plan([]*store.Job{r}, scheduler.Observation{Ends: []scheduler.Job{{ID: "7_1", Array: "7", Task: "1", State: hpc.JobCancelled, End: now}}})
		if r.State != hpc.JobCancelled || r.Ended.IsZero() {
			t.Errorf("row %+v", r)
		}
	})
	t.Run("a job that was stopped is cancelled when it comes back to the queue", func(t *testing.T) {
		r := row("1")
		r.Wanted, r.State, r.Ended = false, hpc.JobCancelled, now
		for state, cancelled := range map[hpc.JobState][]scheduler.Ref{hpc.JobPending: {{ID: "1", Token: r.Token}}, hpc.JobCompleting: nil} {
			p := planJobs(now, &jobsView{ClusterID: "c", Known: []*store.Job{r},
				Seen: scheduler.Observation{Begun: now, Queue: []scheduler.Job{{ID: "1", State: state, Held: true}}}})
			if !slices.Equal(p.Stop, cancelled) || len(p.Insert) != 0 {
				t.Errorf("%s: plan %+v", state, p)
			}
		}
	})
	t.Run("a job's nodes are told in the order of their names", func(t *testing.T) {
		r := row("1")
		seen := scheduler.Observation{Queue: []scheduler.Job{{ID: "1", State: hpc.JobRunning, Nodes: []string{"compute001", "compute000"}}}}
		if plan([]*store.Job{r}, seen); !slices.Equal(r.NodeList, []string{"compute000", "compute001"}) {
			t.Errorf("nodes %v", r.NodeList)
		}
	})
	t.Run("a requeued job is open again", func(t *testing.T) {
		r := row("1")
		r.State = hpc.JobRunning
		plan([]*store.Job{r}, scheduler.Observation{Queue: []scheduler.Job{{ID: "1", State: hpc.JobPending, Restarts: 1}}})
		if r.State != hpc.JobPending || r.Restarts != 1 {
			t.Errorf("row %+v", r)
		}
	})
}
