package fence

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// TestWhatAnAccountMayClaim claims as an account does that speaks to the socket
// itself: everything in a claim but its account is its word.
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
	t.Run("no id of its own for a plain job", func(t *testing.T) {
		t.Parallel()
		j := accepted(t, nil)
		claims(t, j, hpc.Run{ID: "7", Own: "4000000000"}, Begin, 0)
		if highest, err := j.Highest(time.Time{}); err != nil || highest != 7 {
			t.Errorf("the highest id is %d, %v", highest, err)
		}
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

// TestWhatAnAccountMayWrite writes into a run's file what only who holds it can.
func TestWhatAnAccountMayWrite(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"an exit status that is none": `{"End":{"Code":99999999999},"At":"2026-01-01T00:00:00Z"}`,
		"a negative one":              `{"End":{"Code":-5},"At":"2026-01-01T00:00:00Z"}`,
		"a signal that is none":       `{"End":{"Signal":-1000},"At":"2026-01-01T00:00:00Z"}`,
		"an end that is to come":      `{"End":{},"At":"9999-12-31T23:59:59-23:59"}`,
		"a long reason":               `{"Killed":"` + strings.Repeat("x", 3000) + `","At":"2026-01-01T00:00:00Z"}`,
		"long facts":                  `{"Run":{"ID":"` + strings.Repeat("7", 1000) + `","Own":"` + strings.Repeat("8", 1000) + `","Host":"` + strings.Repeat("x", 1000) + `","Boot":"` + strings.Repeat("\u00e4", 1000) + `"}}`,
		"what terminals obey":         `{"Killed":"\u001b[2J\n","At":"2026-01-01T00:00:00Z"}`,
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
			if !r.Over() || r.Ended.After(time.Now().Add(time.Hour)) || r.ExitCode < 0 || r.ExitCode > 255 || len(r.Killed) > 200 ||
				strings.ContainsAny(r.Killed, "\x1b\n") || max(len(r.ID), len(r.Own), len(r.Host), len(r.Boot)) > factLimit {
				t.Errorf("the run is %.400v", r)
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

func TestAProcessStandsForOneRun(t *testing.T) {
	t.Parallel()
	n := openNode(t, own(t, func(s *hpc.JobSpec) { s.Array = "1-10" }))
	for task := range 2 {
		q := question{Token: "ehpct", Task: fmt.Sprint(task + 1), ID: "7", Own: "8"}
		r, file, err := askOnce(n.socket, q, nil)
		must(t, err)
		if began := r.Verdict == Begin; began != (task == 0) {
			t.Errorf("of its run %d this process hears %+v", task+1, r)
		}
		if file != nil {
			file.Close()
		}
	}
	t.Run("and asks for it a few times at most", func(t *testing.T) {
		granted := 1
		for range 3 * grantsPerRun {
			r, file, err := askOnce(n.socket, question{Token: "ehpct", Task: "1", ID: "7", Own: "8"}, nil)
			must(t, err)
			if file != nil {
				file.Close()
			}
			if r.Verdict == Begin {
				granted++
			}
		}
		if granted != grantsPerRun {
			t.Errorf("it was given the file %d times", granted)
		}
	})
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
