package reconcile

import (
	"cmp"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// runsView is what is known of runs.
type runsView struct {
	Open    []*store.Run   // that were seen and have not ended
	Written []hpc.Run      // what nodes wrote down of those that may have been broken off
	Cores   map[string]int // of the nodes there are, by hostname

	open    map[runKey]*store.Run // of Open
	written map[string][]hpc.Run  // by token
}

type runKey struct{ job, task string }

func (v *runsView) index() {
	v.open, v.written = map[runKey]*store.Run{}, map[string][]hpc.Run{}
	for _, r := range v.Open {
		v.open[runKey{r.JobID, r.Task}] = r
	}
	for _, r := range v.Written {
		v.written[r.Token] = append(v.written[r.Token], r)
	}
}

// runStarted tells whether an observed job is on its nodes.
func runStarted(j scheduler.Job) bool {
	return (j.State == hpc.JobRunning || j.State == hpc.JobSuspended) && !j.Start.IsZero() && len(j.Nodes) > 0
}

// another tells whether a start is of a later run than the open one.
func another(open *store.Run, start time.Time) bool {
	return open != nil && start.Truncate(store.TimeGrain).After(open.Started)
}

// planRuns follows the runs of one row by what was observed of it. Each has one
// end; a job that never started has no run.
func planRuns(now time.Time, row *store.Job, queue, ends []scheduler.Job, v *runsView) (changed []*store.Run) {
	for i, e := range ends {
		if e.Array != "" && e.Task == "" {
			continue // the end of all tasks that had not started
		}
		key := runKey{row.ID, e.Task}
		open := v.open[key]
		told := toldEnd(row, e)
		if told.State == unbegun {
			if open != nil {
				changed = append(changed, v.breakOff(now, row, open, e.End))
			}
			continue
		}
		start := told.Start
		forgotten := start.Before(e.Start) // the run that came to this end is the open one, or written down before
		if forgotten && open == nil {
			start = e.Start
		}
		if another(open, start) && !forgotten {
			changed = append(changed, v.breakOff(now, row, open, start))
			open = nil
		}
		if open == nil && (start.IsZero() || len(e.Nodes) == 0) {
			continue
		}
		if open == nil {
			e.Start = start
			open = newRun(row, e, v)
		}
		open.State, open.ExitCode = told.State, told.ExitCode
		open.Final = !slices.ContainsFunc(queue, func(j scheduler.Job) bool { return j.Task == e.Task && alive(j) }) &&
			!slices.ContainsFunc(ends[i+1:], func(j scheduler.Job) bool { return j.Task == e.Task })
		endRun(open, told.End, now)
		delete(v.open, key)
		changed = append(changed, open)
	}
	for _, j := range queue {
		key := runKey{row.ID, j.Task}
		open := v.open[key]
		switch {
		case j.State == hpc.JobCompleting:
		case !runStarted(j) && open != nil && j.State == hpc.JobPending:
			changed = append(changed, v.breakOff(now, row, open, now))
		case runStarted(j) && another(open, j.Start):
			changed = append(changed, v.breakOff(now, row, open, j.Start))
			open = nil
			fallthrough
		case runStarted(j) && open == nil:
			run := newRun(row, j, v)
			v.open[key] = run
			changed = append(changed, run)
		}
	}
	return changed
}

func newRun(row *store.Job, j scheduler.Job, v *runsView) *store.Run {
	nodes := slices.Sorted(slices.Values(j.Nodes))
	cores := j.Cores
	if cores == 0 {
		cores = row.Cores
	}
	return &store.Run{ClusterID: row.ClusterID, JobID: row.ID, Task: j.Task, Started: j.Start, PublicID: row.PublicID, SchedID: row.SchedID,
		OwnID:   cmp.Or(j.Own, j.ID, row.SchedID),
		Account: row.Owner, Name: row.Name, Queue: row.Queue, Shares: hpc.NodeShares(nodes, cores, func(host string) int { return v.Cores[host] }), Cores: cores,
		GPUs: row.Spec.GPUs * len(nodes), Submitted: row.Submitted, State: hpc.JobRunning}
}

// endRun ends a run, not before its start and not after now.
func endRun(r *store.Run, at, now time.Time) {
	if at.IsZero() || at.After(now) {
		at = now
	}
	if at.Before(r.Started) {
		at = r.Started
	}
	r.Ended = at
}

// breakOff ends a run whose job went back into the queue: when its node wrote
// down that it died, else when that was noticed.
func (v *runsView) breakOff(now time.Time, row *store.Job, r *store.Run, noticed time.Time) *store.Run {
	r.State, r.Final, r.ExitCode = hpc.JobNodeFail, false, 0
	endRun(r, noticed, now)
	all := v.written[row.Token]
	if i := writtenOf(all, r, nil); i >= 0 && all[i].Over() && all[i].Ended.Before(r.Ended) {
		r.ExitCode = all[i].ExitCode
		endRun(r, all[i].Ended, now)
	}
	delete(v.open, runKey{row.ID, r.Task})
	return r
}

// sameStart is how long before its scheduler's word on it a run may have begun by
// its node's clock.
const sameStart = time.Second

// writtenOf finds what was written down of a run, -1 if nothing was: what began
// nearest to it.
func writtenOf(all []hpc.Run, r *store.Run, not map[int]bool) int {
	found, least := -1, time.Duration(0)
	for i, w := range all {
		off := w.Began.Sub(r.Started)
		if not[i] || w.Task != r.Task || off < -sameStart || !r.Ended.IsZero() && w.Began.After(r.Ended) {
			continue
		}
		if off = off.Abs(); found < 0 || off < least {
			found, least = i, off
		}
	}
	return found
}

// inDoubt are the tokens of runs that may have been broken off, of which nodes
// may know the end.
func (v *runsView) inDoubt(seen scheduler.Observation) (tokens []string) {
	open := map[[2]string]*store.Run{}
	for _, r := range v.Open {
		open[[2]string{r.SchedID, r.Task}] = r
	}
	for _, j := range slices.Concat(seen.Queue, seen.Ends) {
		r := open[[2]string{j.Whole(), j.Task}]
		if j.Token != "" && r != nil && (j.State == hpc.JobPending || another(r, j.Start)) {
			tokens = append(tokens, j.Token)
		}
	}
	slices.Sort(tokens)
	return slices.Compact(tokens)
}

// leftOver ends what is open of a row that has ended.
func (v *runsView) leftOver(now time.Time, row *store.Job) (changed []*store.Run) {
	at := row.Ended
	if !row.Missing.IsZero() {
		at = row.Missing
	}
	for key, r := range v.open {
		if key.job == row.ID {
			r.State, r.Final = row.State, true
			endRun(r, at, now)
			delete(v.open, key)
			changed = append(changed, r)
		}
	}
	return changed
}

// planLostRuns settles the runs of a row that its scheduler has lost, by what its
// nodes wrote down: those that were seen, and those that nobody saw. was is the
// row as it was before that was decided.
func planLostRuns(now time.Time, was, row *store.Job, seen []*store.Run, written []hpc.Run, cores map[string]int) (changed []*store.Run) {
	v := &runsView{Cores: cores}
	used := map[int]bool{} // of written
	for _, r := range seen {
		at := now
		if !was.Missing.IsZero() {
			at = was.Missing
		}
		i := writtenOf(written, r, used)
		if i >= 0 {
			used[i] = true
		}
		if !r.Ended.IsZero() {
			continue
		}
		r.State, r.ExitCode = lostState(row, nil)
		if i >= 0 && written[i].Over() {
			at = written[i].Ended
			r.State, r.ExitCode = lostState(row, &written[i])
		}
		endRun(r, at, now)
		changed = append(changed, r)
	}
	for i, w := range written {
		if used[i] || !w.Over() || w.Began.IsZero() {
			continue
		}
		nodes := []string{w.Host}
		if slices.Contains(was.NodeList, w.Host) && row.Spec.Array == "" {
			nodes = was.NodeList
		}
		r := newRun(was, scheduler.Job{Task: w.Task, Own: w.Own, Start: w.Began, Nodes: nodes}, v)
		r.State, r.ExitCode = lostState(row, &w)
		endRun(r, w.Ended, now)
		changed = append(changed, r)
	}
	for _, r := range changed { // the last one of each task is its end, unless it runs again
		r.Final = !row.Ended.IsZero() && !slices.ContainsFunc(changed, func(o *store.Run) bool { return o.Task == r.Task && o.Started.After(r.Started) })
	}
	return changed
}

// lostState is how a run ended of which the scheduler tells nothing.
func lostState(row *store.Job, w *hpc.Run) (hpc.JobState, int) {
	switch {
	case !row.Ended.IsZero() && row.State == hpc.JobCancelled:
		return hpc.JobCancelled, 0
	case w == nil, w.Killed != "":
		return hpc.JobNodeFail, 0
	case w.ExitCode == 0:
		return hpc.JobCompleted, 0
	}
	return hpc.JobFailed, w.ExitCode
}
