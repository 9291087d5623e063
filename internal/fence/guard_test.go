package fence

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/scheduler/fake"
)

func guard(t *testing.T) (*Guard, *fake.Fake) {
	f := fake.New()
	f.AddNode("a", 4)
	return &Guard{Driver: f, Journal: Open(t.TempDir())}, f
}

// claimed submits a job that may be rerun, and claims its run on node a.
func claimed(t *testing.T, g *Guard, token string) (id string, run hpc.Run) {
	t.Helper()
	s := spec(token)
	s.Rerunable = true
	id, err := g.Submit(t.Context(), s)
	must(t, err)
	_, run, err = g.Journal.Claim(hpc.Run{Token: token, ID: id, Own: id, Host: "a"}, s.UID, func(hpc.Run) error { return nil })
	must(t, err)
	return id, run
}

func queued(t *testing.T, f *fake.Fake) []scheduler.Job {
	t.Helper()
	o, err := f.Observe(t.Context(), "")
	must(t, err)
	return o.Queue
}

func TestSubmissions(t *testing.T) {
	t.Parallel()
	lost := errors.New("the answer was lost")
	t.Run("a token is submitted once", func(t *testing.T) {
		t.Parallel()
		g, f := guard(t)
		for range 3 {
			if id, err := g.Submit(t.Context(), spec("ehpct")); id != "1" || err != nil {
				t.Fatalf("got %q, %v", id, err)
			}
		}
		if len(queued(t, f)) != 1 {
			t.Errorf("queued are %+v", queued(t, f))
		}
	})
	t.Run("however many ask at the same time", func(t *testing.T) {
		t.Parallel()
		g, f := guard(t)
		done := make(chan string)
		for range 8 {
			go func() {
				id, _ := g.Submit(t.Context(), spec("ehpct"))
				done <- id
			}()
		}
		for range 8 {
			if id := <-done; id != "1" {
				t.Errorf("got %q", id)
			}
		}
		if len(queued(t, f)) != 1 {
			t.Errorf("queued are %+v", queued(t, f))
		}
	})
	t.Run("one whose answer was lost is found again, the account's own", func(t *testing.T) {
		t.Parallel()
		g, f := guard(t)
		other := spec("ehpct")
		other.UID++
		_, err := f.Submit(t.Context(), other) // somebody else's, with the token
		must(t, err)
		f.FailAfter("Submit", lost)
		if _, err := g.Submit(t.Context(), spec("ehpct")); !errors.Is(err, lost) {
			t.Fatalf("got %v", err)
		}
		if id, err := g.Submit(t.Context(), spec("ehpct")); id != "2" || err != nil || len(queued(t, f)) != 2 {
			t.Errorf("got %q, %v", id, err)
		}
	})
	t.Run("the next attempt is another submission", func(t *testing.T) {
		t.Parallel()
		g, f := guard(t)
		_, err := g.Submit(t.Context(), spec("ehpct"))
		must(t, err)
		again := spec("ehpct")
		again.Attempt = 1
		f.FailAfter("Submit", lost)
		if _, err := g.Submit(t.Context(), again); !errors.Is(err, lost) {
			t.Fatalf("got %v", err)
		}
		if id, err := g.Submit(t.Context(), again); id != "2" || err != nil { // not the first one's
			t.Errorf("got %q, %v", id, err)
		}
		if _, err := g.Submit(t.Context(), spec("ehpct")); !errors.Is(err, scheduler.ErrRejected) {
			t.Errorf("an attempt of before was taken: %v", err)
		}
	})
	t.Run("a job that was stopped is not submitted", func(t *testing.T) {
		t.Parallel()
		g, f := guard(t)
		id, err := g.Submit(t.Context(), spec("ehpct"))
		must(t, err)
		must(t, g.Stop(t.Context(), scheduler.Ref{ID: id, Token: "ehpct"}, scheduler.Ref{Token: "ehpcother"}))
		again := spec("ehpct")
		again.Attempt = 1
		if _, err := g.Submit(t.Context(), again); !errors.Is(err, scheduler.ErrRejected) || len(queued(t, f)) != 0 {
			t.Errorf("got %v, queued are %+v", err, queued(t, f))
		}
	})
	t.Run("a job is cancelled although the volume takes nothing", func(t *testing.T) {
		t.Parallel()
		g, f := guard(t)
		id, err := g.Submit(t.Context(), spec("ehpct"))
		must(t, err)
		path := g.Journal.jobPath("ehpct")
		must(t, errors.Join(os.Remove(path), os.Mkdir(path, 0o700))) // root writes whatever may be written
		if err := g.Stop(t.Context(), scheduler.Ref{ID: id, Token: "ehpct"}); err == nil || len(queued(t, f)) != 0 {
			t.Errorf("got %v, queued are %+v", err, queued(t, f))
		}
	})
	t.Run("what is no token or no script is refused", func(t *testing.T) {
		t.Parallel()
		g, _ := guard(t)
		g.Wrap = func(script string) (string, error) { return Wrap("/agent", "fake", script) }
		bad := spec("ehpct")
		bad.Script = "true"
		for _, s := range []hpc.JobSpec{spec("../x"), spec(""), bad} {
			if _, err := g.Submit(t.Context(), s); !errors.Is(err, scheduler.ErrRejected) {
				t.Errorf("%+v: %v", s, err)
			}
		}
	})
}

// A stranger's job with a stolen token goes back into the queue, or dies with its
// node: that is no word on the run of the job that the token is of.
func TestAStolenTokenCutsNoRunOff(t *testing.T) {
	t.Parallel()
	g, f := guard(t)
	f.Script(func(hpc.JobSpec, string) fake.Outcome { return fake.Outcome{Duration: time.Hour} })
	_, run := claimed(t, g, "ehpcruns")
	s := spec("ehpcruns")
	s.Rerunable = true
	stolen, err := f.Submit(t.Context(), s)
	must(t, err)
	must(t, f.Release(t.Context(), stolen))
	_, err = g.Requeue(t.Context(), "a", "ehpc: it is taken back")
	must(t, err)
	must(t, g.Down(t.Context(), "a", "for a test"))
	must(t, g.Journal.noteEnd(run, end{Told: true}, time.Now()))
	runs, err := g.Runs(t.Context(), s.Token)
	must(t, err)
	if len(runs) != 1 || runs[0].Killed != "" || runs[0].Stands {
		t.Errorf("the runs are %+v", runs)
	}
}

func TestADeadNodesRunsAreSettled(t *testing.T) {
	t.Parallel()
	g, f := guard(t)
	f.Script(func(hpc.JobSpec, string) fake.Outcome { return fake.Outcome{Duration: time.Hour} })
	for _, token := range []string{"ehpcended", "ehpcruns"} {
		id, r := claimed(t, g, token)
		must(t, g.Release(t.Context(), id))
		if token == "ehpcended" { // and the scheduler has not heard of it
			must(t, g.Journal.NoteEnd(r, 0, time.Now()))
		}
	}
	must(t, g.Down(t.Context(), "a", "for a test"))
	runs, err := g.Runs(t.Context(), "ehpcended", "ehpcruns")
	must(t, err)
	if len(runs) != 2 || !runs[0].Stands || runs[0].Killed != "" || !runs[1].Over() || runs[1].Killed == "" {
		t.Errorf("the runs are %+v", runs)
	}
	must(t, g.Died(t.Context(), runs...)) // they are over: nothing changes
	if again, err := g.Runs(t.Context(), "ehpcended", "ehpcruns"); err != nil || !slices.Equal(again, runs) {
		t.Errorf("the runs became %+v, %v", again, err)
	}
}

// A token counts with the job's id that was answered for it: whatever else shows
// it is a stranger's job.
func TestATokenThatWasStolen(t *testing.T) {
	t.Parallel()
	g, f := guard(t)
	f.Script(func(hpc.JobSpec, string) fake.Outcome { return fake.Outcome{Duration: time.Hour} })
	runs, err := g.Submit(t.Context(), spec("ehpcruns"))
	must(t, err)
	stolen, err := f.Submit(t.Context(), spec("ehpcruns"))
	must(t, err)
	made, err := f.Submit(t.Context(), spec("ehpcmade-up"))
	must(t, err)
	f.FailAfter("Submit", errors.New("the answer was lost"))
	if _, err := g.Submit(t.Context(), spec("ehpclost")); err == nil {
		t.Fatal("the answer was not lost")
	}
	lost, err := f.Find(t.Context(), "ehpclost", spec("").UID)
	must(t, err)
	want := map[string]string{runs: "ehpcruns", stolen: "", made: "", lost[0]: "ehpclost"}
	for range 2 { // the second time some is remembered
		o, err := g.Observe(t.Context(), "")
		must(t, err)
		if len(o.Queue) != len(want) {
			t.Errorf("queued are %+v", o.Queue)
		}
		for _, job := range o.Queue {
			if job.Token != want[job.ID] {
				t.Errorf("job %s shows the token %q", job.ID, job.Token)
			}
		}
	}
	_, run, err := g.Journal.Claim(hpc.Run{Token: "ehpcruns", ID: runs, Own: runs, Host: "a"}, spec("").UID, func(hpc.Run) error { return nil })
	must(t, err)
	must(t, g.Journal.NoteEnd(run, 0, time.Now()))
	must(t, f.Cancel(t.Context(), runs, stolen))
	o, err := g.Observe(t.Context(), "")
	must(t, err)
	for _, e := range o.Ends {
		if e.Token != want[e.ID] || (e.Run != nil) != (e.ID == runs) {
			t.Errorf("job %s ended with the token %q and the run %v", e.ID, e.Token, e.Run)
		}
	}
	if len(o.Ends) != 2 {
		t.Errorf("the ends are %+v", o.Ends)
	}
}
