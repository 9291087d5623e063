package fence

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/scheduler/fake"
)

// A job that is put back into the queue while it runs must run again, but not if
// it came to its end in the same moment.
func TestARunThatIsCutOff(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const why = "its node is taken back"
	for name, c := range map[string]struct {
		early, late bool // the end comes before or after the note that it is cut off
		end         end
		died        bool // its node died, or it was killed
		again       Verdict
		code        int
	}{
		"runs again when it was told to stop, however it ended": {late: true, end: end{Code: 0, Told: true}, again: Begin},
		"runs again when a signal ended it":                     {late: true, end: end{Signal: sigTerm, Told: true}, again: Begin},
		"runs again when its node was faster":                   {died: true, again: Begin},
		"stands when it had ended before":                       {early: true, end: end{Code: 3}, again: End, code: 3},
		"stands when it had ended before, told or not":          {early: true, end: end{Code: 3, Told: true}, again: End, code: 3},
		"stands when it came to its end in the same moment":     {late: true, end: end{Code: 4}, again: End, code: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := accepted(t, rerunable)
			r := claims(t, j, first, Begin, 0)
			now := r.Began.Add(time.Minute / 2)
			ends := func(at time.Time) {
				must(t, add(j.runPath("ehpct", "", r.N), 0, runLine{End: &c.end, At: at}, false))
			}
			if c.early {
				ends(now.Add(-time.Second))
			}
			must(t, j.noteCut(observed, why, now))
			must(t, j.noteCut(observed, why, now.Add(time.Hour)))                                // is repeated
			must(t, j.noteCut(scheduler.Job{ID: "7", Token: "ehpct", Restarts: 7}, why, now))    // another start's
			must(t, j.noteCut(scheduler.Job{ID: "8", Token: "ehpct"}, why, now.Add(-time.Hour))) // another job's
			if c.late {
				ends(now.Add(time.Second))
			}
			if c.died {
				must(t, j.noteNodeDeath(observed, "a", "its node failed", now))
			}
			claims(t, j, third, c.again, c.code)
			runs, err := j.Runs("ehpct")
			must(t, err)
			if stood := runs[0].Killed == ""; stood != (c.again == End) || !stood && runs[0].Killed != why {
				t.Errorf("the run is %+v", runs[0])
			}
			must(t, j.noteNodeDeath(observed, "a", "its node failed", now)) // which nobody needs any more
			if c.again == End {
				claims(t, j, hpc.Run{ID: "7", Own: "7", Host: "c", Boot: "1", PID: 40, Restarts: 2}, End, c.code)
			}
		})
	}
	t.Run("is not noted of one that may not run again", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, nil)
		r := claims(t, j, first, Begin, 0)
		must(t, j.noteCut(observed, why, now))
		must(t, add(j.runPath("ehpct", "", r.N), 0, runLine{End: &end{Code: 5, Told: true}, At: now.Add(time.Second)}, false))
		claims(t, j, third, End, 5)
	})
}

// A script that saves its work when it is told to stop, and ends well, says so.
func TestAScriptThatIsToldToStop(t *testing.T) {
	t.Parallel()
	n := openNode(t, own(t, rerunable))
	ready := filepath.Join(n.dir, "ready")
	cmd, _ := n.start("#!/bin/sh\ntrap 'exit 0' TERM\ntouch " + ready + "\nwhile :; do sleep 0.01; done\n")
	n.until("it is ready", func() bool { _, err := os.Stat(ready); return err == nil })
	must(t, n.desk.Journal.noteCut(observed, "its node is taken back", time.Now()))
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	cmd.Wait()
	if r := n.over(); r.ExitCode != 0 || r.Killed != "its node is taken back" {
		t.Errorf("written down is %+v", r)
	}
}

func TestANodeGivesItsJobsBack(t *testing.T) {
	t.Parallel()
	g, f := guard(t)
	f.Script(func(hpc.JobSpec, string) fake.Outcome { return fake.Outcome{Duration: time.Hour} })
	id, r := claimed(t, g, "ehpcruns")
	must(t, g.Release(t.Context(), id))
	ids, err := g.Requeue(t.Context(), "a", "ehpc: it is taken back")
	must(t, err)
	if len(ids) != 1 || ids[0] != id {
		t.Errorf("given back are %v", ids)
	}
	must(t, add(g.Journal.runPath(r.Token, "", r.N), 0, runLine{End: &end{Told: true}, At: time.Now()}, false))
	runs, err := g.Runs(t.Context(), r.Token)
	must(t, err)
	if len(runs) != 1 || runs[0].Killed != "it is taken back" {
		t.Errorf("the runs are %+v", runs)
	}
}
