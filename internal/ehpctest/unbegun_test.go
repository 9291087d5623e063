package ehpctest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
)

// TestAJobWhoseScriptDidNotBeginRunsAfterAll has nodes fail to start jobs, which
// the scheduler calls failed.
func TestAJobWhoseScriptDidNotBeginRunsAfterAll(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	s := w.SchedulerOf(id)
	s.Script(func(_ hpc.JobSpec, task string) schedfake.Outcome {
		o := schedfake.Outcome{Duration: 20 * time.Millisecond}
		if task == "3" {
			o.ExitCode = 3
		}
		return o
	})
	ran := map[string]int{} // under the world's lock
	w.OnEnd(id, func(run hpc.Run) { ran[run.Token+" "+run.Task]++ })
	t.Run("a plain one", func(t *testing.T) {
		s.BreakStarts(1)
		name := submitted(t, p, job(id, "true"))
		p.untilState(t, id, name, "COMPLETED")
		if !p.told(t, id, "a node could not start job "+name+", it is submitted again") {
			t.Error("the cluster's log does not tell")
		}
		if runs := whole(p.runsOf(t, id, name)); len(runs) != 1 || !runs[0].Counted || runs[0].State != hpc.JobCompleted {
			t.Errorf("its runs are %+v", runs)
		}
	})
	t.Run("a task of an array, the others of which have run", func(t *testing.T) {
		q := job(id, "true")
		q.ArrayRequest = "1-3"
		s.BreakStarts(1)
		name := submitted(t, p, q)
		p.untilState(t, id, name, "FAILED")
		runs := whole(p.runsOf(t, id, name))
		if len(runs) != 3 || slices.ContainsFunc(runs, func(r *store.Run) bool { return (r.Task == "3") != (r.State == hpc.JobFailed) }) {
			t.Errorf("its runs are %+v", runs)
		}
	})
	for _, state := range []hpc.JobState{hpc.JobCancelled, hpc.JobNodeFail, hpc.JobTimeout} {
		t.Run("one that its scheduler calls "+string(state)+", though nobody stopped it", func(t *testing.T) {
			s.BreakStartsAs(5, state) // busy machines are slow more than once
			name := submitted(t, p, job(id, "true"))
			p.untilState(t, id, name, "COMPLETED")
		})
	}
	t.Run("one that cannot be started at all fails", func(t *testing.T) {
		s.BreakStarts(1 << 30)
		name := submitted(t, p, job(id, "true"))
		p.untilState(t, id, name, "FAILED")
		all := p.jobs(t, id)
		if why := all[slices.IndexFunc(all, func(j api.ListJobsJobInfo) bool { return j.Id == name })].Comment; !strings.Contains(why, "no node could start it, in 30 attempts") {
			t.Errorf("it says %q", why)
		}
		s.BreakStarts(0)
	})
	p.checkLedger(t, id)
	w.mu.Lock()
	defer w.mu.Unlock()
	for run, times := range ran {
		if times != 1 {
			t.Errorf("run %s came to its end %d times", run, times)
		}
	}
	if len(ran) != 7 {
		t.Errorf("%d of seven jobs and tasks have run: %v", len(ran), ran)
	}
}

// whole leaves out the starts that did not come to the script, and what was told
// once more, which has no length.
func whole(runs []*store.Run) []*store.Run {
	return slices.DeleteFunc(runs, func(r *store.Run) bool { return r.State == hpc.JobNodeFail || r.Ended.Equal(r.Started) })
}
