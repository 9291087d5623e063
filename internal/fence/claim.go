package fence

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"ehpc/internal/hpc"
)

// Verdict is what a script that wants to begin is told.
type Verdict string

const (
	Begin Verdict = "begin" // run
	Wait  Verdict = "wait"  // another run may still be ending: ask again
	End   Verdict = "end"   // do not run, and end with the status that goes with it
)

// Ruling is a verdict with its reason and, for End, the exit status.
type Ruling struct {
	Verdict Verdict
	Code    int
	Why     string
	again   bool // the claim was granted before and its answer was lost
}

// refused is the exit status of a script that is no run of an accepted job.
const refused = 1

// runsLimit is how often a task may run. No scheduler requeues one as often, and
// each run is a file.
const runsLimit = 100

// rule decides on a claim by what is written down of the job and its last run.
func rule(job jobFile, last hpc.Run, ran bool, claim hpc.Run, uid int) Ruling {
	switch {
	case uid != job.UID:
		return Ruling{Verdict: End, Code: refused, Why: "the job is another account's"}
	case claim.Task == "" && claim.Own != claim.ID:
		return Ruling{Verdict: End, Code: refused, Why: "it is claimed by another job's process"}
	case claim.ID != job.last().ID:
		return Ruling{Verdict: End, Code: refused, Why: "the job was submitted under another id"}
	case !job.has(claim.Task):
		return Ruling{Verdict: End, Code: refused, Why: "the job has no such task"}
	case ran && sameRun(last, claim) && !last.Over():
		return Ruling{Verdict: Begin, again: true}
	case ran && last.Over() && last.Killed == "" && !(requeued(job, last, claim) && !last.Stands):
		return Ruling{Verdict: End, Code: last.ExitCode, Why: "it has run already"}
	case job.Buried:
		return Ruling{Verdict: End, Code: 128 + sigTerm, Why: "the job was stopped"}
	case !ran:
		return Ruling{Verdict: Begin}
	case !last.Over():
		return Ruling{Verdict: Wait, Why: "its run on " + last.Host + " has not ended"}
	case last.Killed != "" && !job.Rerunable:
		return Ruling{Verdict: End, Code: killed, Why: "it was killed (" + last.Killed + ") and may not be run again"}
	case last.N >= runsLimit:
		return Ruling{Verdict: End, Code: refused, Why: "it has begun too often"}
	}
	return Ruling{Verdict: Begin}
}

// requeued tells whether the claim is of the same job, put back into the queue
// after its last run began.
func requeued(job jobFile, last, claim hpc.Run) bool {
	return job.Rerunable && claim.ID == last.ID && claim.Restarts > last.Restarts
}

func sameRun(a, b hpc.Run) bool {
	return a.ID == b.ID && a.Restarts == b.Restarts && a.Host == b.Host && a.Boot == b.Boot && a.PID == b.PID
}

// Claim decides on the claim of the account with uid and writes down the run
// that may begin, after note has. Own is the id of the job that the process which
// claims belongs to; the rest is its word.
func (j *Journal) Claim(c hpc.Run, uid int, note func(hpc.Run) error) (Ruling, hpc.Run, error) {
	if !taskPattern.MatchString(c.Task) {
		return Ruling{}, c, fmt.Errorf("%.40q is not an array's index", c.Task)
	}
	job, err := j.job(c.Token)
	if errors.Is(err, errNoJob) {
		return Ruling{Verdict: End, Code: refused, Why: "no such job was submitted"}, c, nil
	}
	if err != nil {
		return Ruling{}, c, err
	}
	last, ran, err := j.latest(c.Token, c.Task)
	if err != nil {
		return Ruling{}, c, err
	}
	if ran && !last.Over() && last.Host == c.Host && last.Boot != c.Boot { // this very node has been made anew since
		if err := j.NoteDeath(last, "its node was made anew", time.Now()); err != nil {
			return Ruling{}, c, err
		}
		return Ruling{Verdict: Wait, Why: "its last run has died"}, c, nil
	}
	r := rule(job, last, ran, c, uid)
	switch {
	case r.Verdict != Begin:
		return r, c, nil
	case r.again:
		return r, last, note(last)
	}
	c.N, c.Began = last.N+1, time.Now().UTC()
	// Noted on the node first: an agent that dies in between finds out what became of it.
	if err := note(c); err != nil {
		return Ruling{}, c, err
	}
	err = create(j.runPath(c.Token, c.Task, c.N), runLine{Run: &c, At: c.Began})
	if errors.Is(err, fs.ErrExist) {
		return Ruling{Verdict: Wait, Why: "another run began at the same moment"}, c, nil
	}
	return r, c, err
}
