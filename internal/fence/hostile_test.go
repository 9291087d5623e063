package fence

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// TestWhatAnAccountMayClaim claims as an account does that speaks to the socket
// itself: everything in a claim but its account and its own id is its word.
func TestWhatAnAccountMayClaim(t *testing.T) {
	t.Parallel()
	refuses := func(t *testing.T, j *Journal, c hpc.Run) {
		t.Helper()
		claims(t, j, c, End, refused)
		if runs, err := j.Runs("ehpct"); err != nil || len(runs) > 0 {
			t.Errorf("written down are %v, %v", runs, err)
		}
	}
	t.Run("no task of a plain job", func(t *testing.T) {
		t.Parallel()
		refuses(t, accepted(t, nil), hpc.Run{ID: "7", Own: "7", Task: "1"})
	})
	t.Run("no index that the array has not", func(t *testing.T) {
		t.Parallel()
		for _, task := range []string{"", "0", "2", "5", "03", "999999999"} {
			refuses(t, accepted(t, func(s *hpc.JobSpec) { s.Array = "1-4:2" }), hpc.Run{ID: "7", Own: "8", Task: task})
		}
		claims(t, accepted(t, func(s *hpc.JobSpec) { s.Array = "1-4:2" }), hpc.Run{ID: "7", Own: "8", Task: "3"}, Begin, 0)
	})
	t.Run("no job but the one that the process belongs to", func(t *testing.T) {
		t.Parallel()
		refuses(t, accepted(t, nil), hpc.Run{ID: "7", Own: "8"})
	})
	t.Run("no run after very many", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, rerunable)
		for n := range runsLimit {
			c := first
			c.Restarts, c.PID = n, 10+n
			must(t, j.NoteEnd(claims(t, j, c, Begin, 0), 0, time.Now()))
		}
		c := first
		c.Restarts = runsLimit
		claims(t, j, c, End, refused)
	})
}

// TestWhatARunsFileMayHold writes into a run's file what only the root of one of
// its cluster's nodes can.
func TestWhatARunsFileMayHold(t *testing.T) {
	t.Parallel()
	const early, ended = `"At":"2026-01-01T00:00:00Z"}`, `{"End":{},"At":"9999-12-31T23:59:59-23:59"}`
	for name, text := range map[string]string{
		"an exit status that is none": `{"End":{"Code":99999999999},` + early,
		"a negative one":              `{"End":{"Code":-5},` + early,
		"a signal that is none":       `{"End":{"Signal":-1000},` + early,
		"an end before its beginning": `{"End":{},` + early,
		"an end that is to come":      ended,
		"a process gone before it":    ended + "\n" + `{"Gone":true,` + early,
		"a process gone that is not":  ended + "\n" + `{"Gone":true,"At":"9999-12-31T23:59:59Z"}`,
		"a long reason":               `{"Killed":"` + strings.Repeat("x", 3000) + `",` + early,
		"long facts":                  `{"Run":{"ID":"` + strings.Repeat("7", 1000) + `","Own":"` + strings.Repeat("8", 1000) + `","Host":"` + strings.Repeat("x", 1000) + `","Boot":"` + strings.Repeat("\u00e4", 1000) + `"}}`,
		"another run":                 `{"Run":{"ID":"8","Own":"8","Host":"b","Boot":"2","Restarts":9,"PID":1,"Began":"2026-01-01T00:00:00Z"}}`,
		"what terminals obey":         `{"Killed":"\u001b[2J\n",` + early,
		"a lot":                       strings.Repeat("x", 4*runLimit),
		"another run and a lot":       `{"Run":{"Host":"b"}}` + strings.Repeat("\n{}", runLimit),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := accepted(t, nil)
			run := claims(t, j, first, Begin, 0)
			f, err := os.OpenFile(j.runPath("ehpct", "", 1), os.O_WRONLY|os.O_APPEND, 0)
			must(t, err)
			_, err = f.WriteString(text + "\n")
			must(t, err)
			must(t, f.Close())
			must(t, j.NoteDeath(run, "it was killed", time.Now()))
			runs, err := j.Runs("ehpct")
			if err != nil || len(runs) != 1 {
				t.Fatalf("got %v, %v", runs, err)
			}
			r := runs[0]
			if !r.Over() || r.Ended.Before(run.Began) || r.Ended.After(time.Now().Add(time.Hour)) || r.ExitCode < 0 || r.ExitCode > 255 ||
				len(r.Killed) > 200 || strings.ContainsAny(r.Killed, "\x1b\n") {
				t.Errorf("the run is %.500s", fmt.Sprint(r))
			}
			if !r.Began.Equal(run.Began) || r.ID != "7" || r.Own != "7" || r.Host != "a" || r.Boot != "1" || r.Restarts != 0 {
				t.Errorf("its beginning became %.500s", fmt.Sprint(r))
			}
		})
	}
	t.Run("a file that is large is not read whole", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, nil)
		claims(t, j, first, Begin, 0)
		must(t, os.Truncate(j.runPath("ehpct", "", 1), 1<<40)) // a hole
		if r, there, err := j.latest("ehpct", ""); err != nil || !there || !r.Over() || r.Killed == "" {
			t.Errorf("the run is %+v, %v", r, err)
		}
	})
}

// asks puts a question to the node as this process, whose uid is the job's.
func (n *node) asks(q question) reply {
	n.Helper()
	r, err := ask(n.socket, q, nil)
	must(n.T, err)
	return r
}

// TestWhoMayClaim: it is the control group of a process that tells which job it
// may claim a run of.
func TestWhoMayClaim(t *testing.T) {
	t.Parallel()
	n := newNode(t, own(t, nil))
	var job atomic.Value
	job.Store("")
	n.desk.Job = func(int) string { return job.Load().(string) }
	l, err := Listen(n.socket)
	must(t, err)
	n.serve(l)
	claim := question{Token: "ehpct", ID: "7"}
	if r, err := ask(n.socket, claim, nil); err == nil {
		t.Errorf("a process of no job hears %+v", r)
	}
	job.Store("8")
	if r := n.asks(claim); r.Verdict != End || r.Code != refused {
		t.Errorf("a process of another job hears %+v", r)
	}
	if runs, err := n.desk.Journal.Runs("ehpct"); err != nil || len(runs) > 0 {
		t.Fatalf("written down are %v, %v", runs, err)
	}
	job.Store("7")
	if r := n.asks(claim); r.Verdict != Begin {
		t.Errorf("a process of the job's own hears %+v", r)
	}
}

// TestWhatAnAccountMayTell tells ends over the socket as any process of a job can.
func TestWhatAnAccountMayTell(t *testing.T) {
	t.Parallel()
	written := func(n *node) hpc.Run {
		n.Helper()
		runs, err := n.desk.Journal.Runs("ehpct")
		if err != nil || len(runs) != 1 {
			n.Fatalf("the runs are %v, %v", runs, err)
		}
		return runs[0]
	}
	t.Run("no end of a run that another process stands for", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		ready := filepath.Join(n.dir, "ready")
		cmd, _ := n.start("#!/bin/sh\ntouch " + ready + "\nexec sleep 300\n")
		defer func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() }()
		n.until("it runs", func() bool { _, err := os.Stat(ready); return err == nil })
		if r := n.asks(question{End: &end{}}); !r.Stranger {
			t.Errorf("it hears %+v", r)
		}
		if r := written(n); r.Over() {
			t.Errorf("the run is %+v", r)
		}
	})
	t.Run("an end once, and its time is the agent's", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		if r := n.asks(question{Token: "ehpct", ID: "7"}); r.Verdict != Begin {
			t.Fatalf("it hears %+v", r)
		}
		before := time.Now()
		for _, code := range []int{3, 0, -7, 1 << 20} {
			if r := n.asks(question{End: &end{Code: code}}); r != (reply{}) {
				t.Errorf("it hears %+v", r)
			}
		}
		if r := written(n); r.ExitCode != 3 || r.Ended.Before(before) || r.Ended.After(time.Now()) {
			t.Errorf("the run is %+v", r)
		}
	})
	t.Run("nothing that is malformed", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		for _, text := range []string{"x", `{"End":7}`, `{"End":{"Code":1e99}}`, strings.Repeat("{", messageLimit)} {
			conn, err := net.Dial("unix", n.socket)
			must(t, err)
			_, err = conn.Write([]byte(text))
			must(t, err)
			answer := make([]byte, messageLimit)
			if m, err := conn.Read(answer); err != nil || !strings.Contains(string(answer[:m]), "malformed") {
				t.Errorf("%.20q hears %q, %v", text, answer[:m], err)
			}
			conn.Close()
		}
	})
}

// A process that goes on after it has told its end keeps the job's nodes: its run
// has ended when it has.
func TestAProcessThatLingersAfterItsEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ seen, longer bool }{
		"counts as long as it was seen": {true, true}, "of which nobody saw the end does not": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := accepted(t, nil)
			run := claims(t, j, first, Begin, 0)
			must(t, j.NoteEnd(run, 4, run.Began.Add(time.Millisecond)))
			died := run.Began.Add(time.Hour)
			must(t, os.Chtimes(j.runPath("ehpct", "", 1), died, died))
			if c.seen {
				must(t, j.noteGone(run, died))
				must(t, os.Chtimes(j.runPath("ehpct", "", 1), died, died))
				must(t, j.noteGone(run, died))
			}
			r, _, err := j.latest("ehpct", "")
			if longer := r.Ended.Equal(died.UTC()); err != nil || longer != c.longer || r.ExitCode != 4 || r.Killed != "" {
				t.Errorf("the run is %+v, %v", r, err)
			}
		})
	}
}

func TestAProcessStandsForOneRun(t *testing.T) {
	t.Parallel()
	n := openNode(t, own(t, func(s *hpc.JobSpec) { s.Array = "1-10" }))
	claim := func(task string) Verdict { return n.asks(question{Token: "ehpct", Task: task, ID: "7"}).Verdict }
	for range 20 { // as one does whose answers are lost
		if v := claim("1"); v != Begin {
			t.Fatalf("of its own run it hears %q", v)
		}
	}
	if v := claim("2"); v == Begin {
		t.Errorf("it stands for two runs")
	}
}

// TestOneAccountLeavesRoomForOthers connects more often than the desk takes from
// one account, and says nothing.
func TestOneAccountLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	n := openNode(t, own(t, nil))
	turnedAway := false
	for range 2 * claimsPerAccount {
		conn, err := net.Dial("unix", n.socket)
		must(t, err)
		defer conn.Close()
	}
	n.until("one of them is turned away", func() bool {
		conn, err := net.Dial("unix", n.socket)
		must(t, err)
		defer conn.Close()
		conn.SetReadDeadline(time.Now().Add(time.Second))
		_, err = conn.Read(make([]byte, 1))
		turnedAway = err != nil && !os.IsTimeout(err)
		return turnedAway
	})
	s := &slots{}
	for range claimsPerAccount {
		if !s.take(1) {
			t.Fatal("there is no room in the beginning")
		}
	}
	if s.take(1) || !s.take(2) {
		t.Error("one account takes the room of another")
	}
	if s.leave(1); !s.take(1) {
		t.Error("a place that was left is not free")
	}
}
