package fence

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

func spec(token string) hpc.JobSpec {
	return hpc.JobSpec{Token: token, UID: 20001, Script: "#!/bin/sh\n"}
}

// accepted is a journal with one submitted job, "ehpct" under the id "7".
func accepted(t *testing.T, change func(*hpc.JobSpec)) *Journal {
	t.Helper()
	j, s := Open(t.TempDir()), spec("ehpct")
	if change != nil {
		change(&s)
	}
	submitted(t, j, s, "7")
	return j
}

func submitted(t *testing.T, j *Journal, s hpc.JobSpec, id string) {
	t.Helper()
	if err := errors.Join(j.begin(s), j.submitted(s.Token, s.Attempt, id)); err != nil {
		t.Fatal(err)
	}
}

func rerunable(s *hpc.JobSpec) { s.Rerunable = true }

// claims makes a claim and expects the verdict; the status is that of End.
func claims(t *testing.T, j *Journal, c hpc.Run, want Verdict, code int) hpc.Run {
	t.Helper()
	c.Token = "ehpct"
	ruling, run, err := j.Claim(c, 20001, func(hpc.Run) error { return nil })
	if err != nil || ruling.Verdict != want || ruling.Code != code {
		t.Fatalf("the claim %+v is told to %+v, %v; want %s %d", c, ruling, err, want, code)
	}
	return run
}

var (
	first  = hpc.Run{ID: "7", Own: "7", Host: "a", Boot: "1", PID: 10}
	second = hpc.Run{ID: "7", Own: "7", Host: "b", Boot: "1", PID: 20} // the scheduler started it again, as if it never had
	third  = hpc.Run{ID: "7", Own: "7", Host: "b", Boot: "1", PID: 30, Restarts: 1}
	// observed is the accepted job as its scheduler shows it.
	observed = scheduler.Job{ID: "7", Token: "ehpct"}
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAJobRunsOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	t.Run("the first run begins, and the same one asking again", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, nil)
		if a, b := claims(t, j, first, Begin, 0), claims(t, j, first, Begin, 0); a.N != 1 || b.N != 1 {
			t.Errorf("they are the runs %d and %d", a.N, b.N)
		}
	})
	t.Run("what has run ends with the status that it had", func(t *testing.T) {
		t.Parallel()
		for _, code := range []int{0, 7} {
			j := accepted(t, nil)
			must(t, j.NoteEnd(claims(t, j, first, Begin, 0), code, now))
			claims(t, j, second, End, code)
			claims(t, j, third, End, code) // it may not be rerun
		}
	})
	t.Run("what may be rerun runs again when it was put back into the queue", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, rerunable)
		must(t, j.NoteEnd(claims(t, j, first, Begin, 0), 0, now))
		claims(t, j, second, End, 0) // nobody put it back
		if r := claims(t, j, third, Begin, 0); r.N != 2 {
			t.Errorf("it is run %d", r.N)
		}
	})
	t.Run("not when it had ended before its node failed", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, rerunable)
		must(t, j.NoteEnd(claims(t, j, first, Begin, 0), 3, now))
		must(t, j.noteNodeDeath(observed, "a", "its node failed", now))
		claims(t, j, third, End, 3)
	})
	t.Run("a run that goes on is waited for", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, rerunable)
		r := claims(t, j, first, Begin, 0)
		claims(t, j, second, Wait, 0)
		claims(t, j, third, Wait, 0)
		must(t, j.NoteDeath(r, "it was killed", now))
		claims(t, j, second, Begin, 0)
	})
	t.Run("a killed job that may not be rerun fails", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, nil)
		must(t, j.noteNodeDeath(observed, "a", "its node failed", now)) // before anything ran: nothing to note
		claims(t, j, first, Begin, 0)
		must(t, j.noteNodeDeath(observed, "b", "its node failed", now)) // another's
		must(t, j.noteNodeDeath(observed, "a", "its node failed", now))
		claims(t, j, second, End, killed)
	})
	t.Run("a script that a scheduler's signal ended was killed", func(t *testing.T) {
		t.Parallel()
		for signal, again := range map[int]Verdict{sigTerm: Begin, sigKill: Begin, 11: End} {
			j := accepted(t, rerunable)
			r := claims(t, j, first, Begin, 0)
			must(t, add(j.runPath("ehpct", "", r.N), 0, runLine{End: &end{Signal: signal}, At: now}, false))
			code := 0
			if again == End {
				code = 128 + signal
			}
			claims(t, j, second, again, code)
		}
	})
	t.Run("the first word on an end counts", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, rerunable)
		r := claims(t, j, first, Begin, 0)
		must(t, j.NoteEnd(r, 4, now))
		must(t, j.NoteDeath(r, "late", now))
		claims(t, j, second, End, 4)
	})
	t.Run("a node that was made anew runs nothing of before", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, rerunable)
		claims(t, j, first, Begin, 0)
		anew := first
		anew.Boot = "2"
		claims(t, j, anew, Wait, 0)
		claims(t, j, anew, Begin, 0)
	})
	t.Run("the tasks of an array are apart", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, func(s *hpc.JobSpec) { s.Array = "1-2" })
		for _, task := range []string{"1", "2"} {
			c := first
			c.Task = task
			r := claims(t, j, c, Begin, 0)
			must(t, j.NoteEnd(r, 0, now))
			claims(t, j, c, End, 0)
		}
		runs, err := j.Runs("ehpct")
		if err != nil || len(runs) != 2 {
			t.Errorf("the runs are %+v, %v", runs, err)
		}
	})
	t.Run("a job that was stopped does not begin", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, nil)
		must(t, j.Bury("ehpct", "ehpcunknown", "../x"))
		must(t, j.Bury("ehpct"))
		claims(t, j, first, End, 128+sigTerm)
	})
	t.Run("a job that was lost and submitted again has run, or runs under its new id", func(t *testing.T) {
		t.Parallel()
		for _, ran := range []bool{true, false} {
			j := accepted(t, nil)
			if ran {
				must(t, j.NoteEnd(claims(t, j, first, Begin, 0), 5, now))
			}
			again := spec("ehpct")
			again.Attempt = 1
			submitted(t, j, again, "1007")
			claims(t, j, first, End, refused) // the scheduler found it again: too late
			under := hpc.Run{ID: "1007", Own: "1007", Host: "b", Boot: "1", PID: 40}
			if ran {
				claims(t, j, under, End, 5)
			} else {
				claims(t, j, under, Begin, 0)
			}
		}
	})
	t.Run("nothing else begins", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, nil)
		for name, c := range map[string]hpc.Run{
			"another account's": first, "an unknown token": {Token: "ehpcother", ID: "7"}, "no token": {ID: "7"},
			"a token that is a path": {Token: "../../x", ID: "7"}, "another id": {Token: "ehpct", ID: "8", Own: "8"},
			"of another job's process": {Token: "ehpct", ID: "7", Own: "8"}, "of nobody knows whose": {Token: "ehpct", ID: "7"},
		} {
			uid := 20001
			if c.Token == "" && c.Host != "" {
				c.Token, uid = "ehpct", 20002
			}
			if r, _, err := j.Claim(c, uid, nil); err != nil || r.Verdict != End || r.Code != refused {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		}
		if _, _, err := j.Claim(hpc.Run{Token: "ehpct", ID: "7", Task: "../1"}, 20001, nil); err == nil {
			t.Error("a task that is a path was taken")
		}
	})
}

func TestACutOffJournal(t *testing.T) {
	t.Parallel()
	t.Run("a half written line says nothing and spoils nothing", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, nil)
		for _, path := range []string{j.jobPath("ehpct")} {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			f.WriteString("\n{\"Bur")
			must(t, f.Close())
		}
		claims(t, j, first, Begin, 0)
		again := spec("ehpct")
		again.Attempt = 1
		submitted(t, j, again, "9")
		if job, err := j.job("ehpct"); err != nil || len(job.Attempts) != 2 || job.last().ID != "9" {
			t.Errorf("the job is %+v, %v", job, err)
		}
	})
	t.Run("a job's file without its beginning is begun anew", func(t *testing.T) {
		t.Parallel()
		j := Open(t.TempDir())
		must(t, os.MkdirAll(j.shard("ehpct"), 0o700))
		must(t, os.WriteFile(j.jobPath("ehpct"), []byte("\n{\"Jo"), 0o600))
		submitted(t, j, spec("ehpct"), "7")
		claims(t, j, first, Begin, 0)
	})
}

func TestPruning(t *testing.T) {
	t.Parallel()
	old := time.Now().Add(-2 * keepFor)
	age := func(j *Journal) {
		paths, err := filepath.Glob(filepath.Join(j.dir, "*", "*"))
		must(t, err)
		for _, path := range paths {
			must(t, os.Chtimes(path, old, old))
		}
	}
	for name, c := range map[string]struct {
		prepare func(j *Journal)
		kept    bool
	}{
		"a job that ended long ago goes":         {func(j *Journal) { must(t, j.NoteEnd(claims(t, j, first, Begin, 0), 0, old)); age(j) }, false},
		"a job that was stopped long ago goes":   {func(j *Journal) { must(t, j.Bury("ehpct")); age(j) }, false},
		"one that ended lately stays":            {func(j *Journal) { must(t, j.NoteEnd(claims(t, j, first, Begin, 0), 0, old)) }, true},
		"one that runs stays":                    {func(j *Journal) { claims(t, j, first, Begin, 0); age(j) }, true},
		"one that has waited all the time stays": {age, true},
		"what is no journal of jobs is no fault": {func(j *Journal) {
			must(t, os.MkdirAll(filepath.Join(j.dir, "usage", "07"), 0o700))
			age(j)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := accepted(t, nil)
			c.prepare(j)
			must(t, j.Prune(time.Now()))
			if _, err := j.job("ehpct"); (err == nil) != c.kept {
				t.Errorf("the job's file: %v", err)
			}
			if runs, err := j.Runs("ehpct"); !c.kept && len(runs) > 0 || err != nil {
				t.Errorf("the runs %v, %v", runs, err)
			}
		})
	}
	t.Run("an array of which something is still to run stays", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, func(s *hpc.JobSpec) { s.Array = "1-2" })
		c := first
		c.Task = "1"
		must(t, j.NoteEnd(claims(t, j, c, Begin, 0), 0, old))
		age(j)
		must(t, j.Prune(time.Now()))
		if _, err := j.job("ehpct"); err != nil {
			t.Error(err)
		}
	})
}

func TestTheHighestID(t *testing.T) {
	t.Parallel()
	j := accepted(t, func(s *hpc.JobSpec) { s.Array = "1-2" })
	c := first
	c.Task, c.Own = "1", "12"
	claims(t, j, c, Begin, 0)
	if n, err := j.Highest(time.Now().Add(-time.Hour)); err != nil || n != 12 {
		t.Errorf("it is %d, %v", n, err)
	}
	if n, err := j.Highest(time.Now().Add(time.Hour)); err != nil || n != 0 {
		t.Errorf("of the future it is %d, %v", n, err)
	}
}

func FuzzRunFiles(f *testing.F) {
	f.Add([]byte(`{"Run":{"ID":"7"}}`+"\n"+`{"End":{"Code":3}}`), "ehpct.t1.r2")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		j := Open(t.TempDir())
		must(t, os.MkdirAll(j.shard("ehpct"), 0o700))
		must(t, os.WriteFile(j.runPath("ehpct", "", 1), text, 0o600))
		must(t, os.WriteFile(j.jobPath("ehpct"), text, 0o600))
		j.job("ehpct")
		j.Runs("ehpct")
		if token, task, n, ok := runName(name); ok && filepath.Base(j.runPath(token, task, n)) != name && n >= 0 {
			// Another spelling of the number is never written.
			if again, _, _, _ := runName(filepath.Base(j.runPath(token, task, n))); again != token {
				t.Errorf("%q is read as %q", name, token)
			}
		}
	})
}
