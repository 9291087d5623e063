package reconcile

import (
	"fmt"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

const (
	// strangeMissFor is Limits.Miss for a job that others submitted.
	strangeMissFor = time.Minute
	// overlookedFor is how long a controller that goes on may not show a job: its
	// end is not on record then, and what was written down of its runs decides.
	overlookedFor = 2 * time.Minute
	// doubtFor is how long a job that runs again is looked after in every pass, and
	// doubtLater for how much of each minute from then on: its script may wait
	// without end for a run that died unnoticed.
	doubtFor   = 5 * time.Minute
	doubtLater = 5 * time.Second
)

// mayWait tells whether a row's script may wait for an earlier run, and is to be
// looked after now.
func mayWait(now time.Time, row *store.Job) bool {
	since := now.Sub(row.Started)
	return row.Restarts > 0 && row.State == hpc.JobRunning && row.Token != "" && (since < doubtFor || since%time.Minute < doubtLater)
}

// miss is for an open row that the scheduler does not show. Soon after its last
// sight without a new start of the controller, or while there are ends to read, it
// only has not been told of yet.
func (p *jobsPlan) miss(row *store.Job, v *jobsView) {
	seen := v.Seen
	if row.Reason == scriptGoesOn && !row.Missing.IsZero() {
		p.Doubt = append(p.Doubt, row)
		return
	}
	started := startedSince(row, seen)
	if seen.More || !started && seen.Begun.Sub(lastSight(row)) < overlookedFor {
		return
	}
	if row.Missing.IsZero() {
		row.Missing = seen.Begun
		p.Save = append(p.Save, row)
		return
	}
	missed := seen.Begun.Sub(row.Missing)
	switch {
	case !started && missed < overlookedFor:
	case !started && row.Token != "":
		p.Overlooked = append(p.Overlooked, row)
	case row.Token != "" && missed >= v.MissFor:
		p.Doubt = append(p.Doubt, row)
	case row.Token == "" && missed >= strangeMissFor:
		row.State, row.Reason, row.Ended, row.Modified = hpc.JobFailed, "the scheduler has lost it", seen.Begun, seen.Begun
		p.Save = append(p.Save, row)
	}
}

// whereabouts tells what is known of a run that has not come to its end.
type whereabouts int

const (
	mayRun whereabouts = iota // its node is there, or cannot be asked
	gone                      // its node was made anew since, or is no more
)

// lostPlan is what becomes of one row in doubt.
type lostPlan struct {
	Save bool      // the row was changed
	Died []hpc.Run // runs that cannot go on
	Last []hpc.Run // of its tasks, if they have ended it
	Line string    // for the cluster's log, "" for none
}

// doubt is why a row's runs are looked at.
type doubt int

const (
	forgotten  doubt = iota // by a controller that was started since: what has not run is submitted again
	overlooked              // by one that goes on: only what was written down counts
	refused                 // its node would not start it, as if it ran there already: Slurm holds it
)

// planLost decides on a row by the runs that were written down under its token.
func planLost(now time.Time, row *store.Job, runs []hpc.Run, why doubt, where func(hpc.Run) whereabouts) lostPlan {
	last := map[string]hpc.Run{} // by task
	for _, r := range runs {
		if r.N > last[r.Task].N {
			last[r.Task] = r
		}
	}
	var p lostPlan
	open := 0
	for _, r := range last {
		if r.Over() {
			continue
		}
		open++
		if where(r) == gone {
			p.Died = append(p.Died, r)
		}
	}
	if row.Missing.IsZero() && why != refused || open > 0 {
		return p // it is queued, or goes on: the next pass looks again
	}
	ended := ends(row, last)
	if row.Wanted && ended == nil && why == overlooked {
		return p
	}
	p.Save = true
	row.Modified = now
	if !row.Wanted {
		row.State, row.Ended = hpc.JobCancelled, now
		return p
	}
	if ended != nil {
		settle(row, ended)
		p.Last = ended
		p.Line = fmt.Sprintf("job %s is %s, as its nodes tell; the scheduler has lost it", row.PublicID, row.State)
		return p
	}
	if why == refused {
		row.Released = false
		p.Line = fmt.Sprintf("a node refused to start job %s, it is released again", row.PublicID)
		return p
	}
	resubmit(row)
	p.Line = fmt.Sprintf("the scheduler has lost job %s, it is submitted again", row.PublicID)
	return p
}

// ends are the last runs of a row whose every task has had its last one; nil if
// something of it is still to run.
func ends(row *store.Job, last map[string]hpc.Run) []hpc.Run {
	var list []hpc.Run
	for _, r := range last {
		if r.Killed == "" || !row.Spec.Rerunable {
			list = append(list, r)
		}
	}
	if len(list) < tasks(row) {
		return nil
	}
	slices.SortFunc(list, func(a, b hpc.Run) int { return a.Ended.Compare(b.Ended) })
	return list
}

// settle ends a row by what was written down of its runs.
func settle(row *store.Job, ended []hpc.Run) {
	row.State, row.ExitCode, row.Reason = hpc.JobCompleted, 0, ""
	row.Ends, row.Missing = len(ended), time.Time{}
	for _, r := range ended {
		if row.Started.IsZero() || r.Began.Before(row.Started) {
			row.Started = r.Began
		}
		row.Ended = r.Ended
		if r.ExitCode == 0 {
			continue
		}
		row.State, row.ExitCode = hpc.JobFailed, r.ExitCode
		if r.Killed != "" {
			row.Reason = notAgain(r)
		}
	}
}

// notAgain tells why a job has failed that may not be run again.
func notAgain(r hpc.Run) string {
	return fmt.Sprintf("it was killed on %s (%s) and may not be run again", r.Host, r.Killed)
}

// resubmit makes a row wait for its next submission, as a whole: what of an
// array has run ends at once.
func resubmit(row *store.Job) {
	row.Attempt++
	row.Spec.Attempt = row.Attempt
	row.SchedID, row.State, row.Released, row.Reason = "", hpc.JobAccepted, false, ""
	row.Missing, row.Started, row.NodeList = time.Time{}, time.Time{}, []string{}
	row.Ends, row.ExitCode, row.Worst = 0, 0, ""
}
