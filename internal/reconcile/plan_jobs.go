package reconcile

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// abandonAfter is how long an accepted job may be without an answer to its
// request before it is given up: longer than any request may take.
const abandonAfter = 2 * time.Minute

// jobsPlan is what follows from one observation of a scheduler.
type jobsPlan struct {
	Save   []*store.Job    // changed rows
	Insert []*store.Job    // jobs submitted behind the API's back
	Stop   []scheduler.Ref // what is not wanted
	Doubt  []*store.Job    // rows whose runs have to be looked at, see planLost
	// Overlooked are rows that a scheduler which has forgotten nothing shows no more.
	Overlooked []*store.Job
	Refused    []*store.Job // rows whose jobs nodes would not start
	Lines      []string     // for the cluster's log
	Ledger     store.Ledger

	sights int // rows that are saved for having been seen again, and nothing else
}

// empty tells whether there is nothing to write, and nothing to ask for.
func (p *jobsPlan) empty() bool {
	return len(p.Save)+len(p.Insert)+len(p.Stop)+len(p.Doubt)+len(p.Overlooked)+len(p.Refused) == 0 && p.Ledger.Empty()
}

// jobsView is what planJobs decides on.
type jobsView struct {
	ClusterID   string
	Open        []*store.Job    // rows that have not ended; planJobs may change them
	Known       []*store.Job    // further rows with ids that the observation names; likewise
	Resubmitted map[string]bool // tokens of rows that have another id of the scheduler's now
	Names       map[int]string
	Gone        map[int]bool    // uids of deleted accounts
	Orphans     map[string]bool // observed tokens of ours that no row has: the store is older than the job
	Seen        scheduler.Observation
	Runs        runsView
	MissFor     time.Duration // see Limits.Miss
	Retry       time.Duration // see Limits.Retry
	Started     time.Time     // of this server: requests of before are not answered any more

	owners map[string]int // uids of the rows' accounts, by token
}

// planJobs moves rows to what the scheduler shows.
func planJobs(now time.Time, v *jobsView) jobsPlan {
	var p jobsPlan
	v.Runs.index()
	v.indexOwners()
	queue, ends := byRow(v.Seen.Queue), byRow(v.Seen.Ends)
	tokens := map[string]string{}
	for _, j := range v.Seen.Queue {
		if j.Token != "" && !v.foreign(j) {
			tokens[j.Token] = j.Whole()
		}
	}
	known := map[string]bool{}
	for _, row := range v.Known {
		known[row.SchedID] = true
		if !row.Ended.IsZero() && slices.ContainsFunc(queue[row.SchedID], alive) {
			p.cameBack(now, row, queue[row.SchedID], v)
		}
	}
	for _, row := range v.Open {
		if row.SchedID == "" {
			known[tokens[row.Token]] = true
			p.unsubmitted(now, row, tokens[row.Token], v)
			continue
		}
		known[row.SchedID] = true
		p.follow(now, row, queue[row.SchedID], ends[row.SchedID], v)
	}
	for _, id := range slices.Concat(ids(v.Seen.Queue), ids(v.Seen.Ends)) {
		if known[id] {
			continue
		}
		known[id] = true
		if stale(v, queue[id]) || slices.ContainsFunc(queue[id], v.foreign) {
			p.Stop = append(p.Stop, scheduler.Ref{ID: id})
			continue
		}
		if row := strange(now, v, id, queue[id], ends[id]); row != nil {
			p.Insert = append(p.Insert, row)
			p.followRuns(now, row, queue[id], ends[id], v)
		}
	}
	return p
}

// stale tells whether a queued job carries the token of a row that was submitted
// again since.
func stale(v *jobsView, queue []scheduler.Job) bool {
	return len(queue) > 0 && v.Resubmitted[queue[0].Token]
}

// follow brings one open row to what was observed of it.
func (p *jobsPlan) follow(now time.Time, row *store.Job, queue, ends []scheduler.Job, v *jobsView) {
	if i := slices.IndexFunc(slices.Concat(queue, ends), v.foreign); i >= 0 && !began(ends) {
		p.mistaken(now, row, slices.Concat(queue, ends)[i].UID)
		return
	}
	queue = withoutEnded(row, queue, ends)
	if releaseForgotten(row, queue, v.Seen) {
		row.Released = false // saved with the reason, which has changed
	} else {
		queue = sinceRelease(row, queue, v.Seen)
	}
	if !row.Wanted && len(queue) > 0 {
		p.Stop = append(p.Stop, scheduler.Ref{ID: row.SchedID, Token: row.Token})
	}
	if row.Reason == scriptGoesOn {
		queue = slices.DeleteFunc(slices.Clone(queue), func(j scheduler.Job) bool { return !alive(j) })
	}
	if !slices.ContainsFunc(queue, alive) && slices.ContainsFunc(ends, func(e scheduler.Job) bool { return mayGoOn(row, e) }) {
		row.Reason, row.Missing, row.Modified = scriptGoesOn, v.Seen.Begun, now
		p.Save, p.Doubt = append(p.Save, row), append(p.Doubt, row)
		return
	}
	shown := len(queue) > 0 || len(ends) > 0
	switch {
	case followJob(now, row, queue, ends):
		row.Modified, row.Sight, row.Missing = now, sight(row, queue, ends, v.Seen), time.Time{}
		p.Save = append(p.Save, row)
		if row.State == unbegun {
			row.Ended = time.Time{}
			defer p.again(row) // once its tasks that have run are written down
		}
	case shown && !row.Missing.IsZero():
		row.Missing = time.Time{}
		p.Save = append(p.Save, row)
	case goesOn(row, queue, v.Seen) && p.sights < sightsPerPass:
		p.sights++
		row.Sight = sight(row, queue, ends, v.Seen)
		p.Save = append(p.Save, row)
	case !shown:
		p.miss(row, v)
	}
	p.followRuns(now, row, queue, ends, v)
	refusal := func(j scheduler.Job) bool {
		return j.Refused && j.Restarts <= startsLimit && now.Sub(row.Modified) >= startPause(v.Retry, j.Restarts)
	}
	if row.Released && row.Token != "" && slices.ContainsFunc(queue, refusal) {
		p.Refused = append(p.Refused, row)
	}
	if mayWait(now, row) {
		p.Doubt = append(p.Doubt, row) // what ran before it may have died unnoticed, with its node
	}
}

// again has a job submitted again that ended without having begun.
func (p *jobsPlan) again(row *store.Job) {
	resubmit(row)
	p.Lines = append(p.Lines, fmt.Sprintf("a node could not start job %s, it is submitted again", row.PublicID))
}

// followRuns writes down what was observed of a row's runs.
func (p *jobsPlan) followRuns(now time.Time, row *store.Job, queue, ends []scheduler.Job, v *jobsView) {
	p.Ledger.Runs = append(p.Ledger.Runs, planRuns(now, row, queue, ends, &v.Runs)...)
	if !row.Ended.IsZero() {
		p.Ledger.Runs = append(p.Ledger.Runs, v.Runs.leftOver(now, row)...)
		p.Ledger.Ended = append(p.Ledger.Ended, row.ID)
	}
}

// cameBack is for a job that has ended and that the scheduler shows again. Its
// owner may have put it back into the queue; otherwise the scheduler has
// forgotten its end, and it is not run twice.
func (p *jobsPlan) cameBack(now time.Time, row *store.Job, queue []scheduler.Job, v *jobsView) {
	again := slices.ContainsFunc(queue, func(j scheduler.Job) bool { return j.Restarts > row.Restarts })
	if row.Wanted && (row.Token == "" || again && row.Spec.Rerunable) {
		row.Ended, row.Ends, row.ExitCode, row.Worst = time.Time{}, 0, 0, ""
		followJob(now, row, queue, nil)
		row.Modified, row.Sight = now, v.Seen.Begun
		p.Save = append(p.Save, row)
		p.Ledger.Again = append(p.Ledger.Again, row.ID)
		p.followRuns(now, row, queue, nil, v)
		return
	}
	ref := scheduler.Ref{ID: row.SchedID}
	if !row.Wanted {
		ref.Token = row.Token
	}
	p.Stop = append(p.Stop, ref)
}

// alive tells whether an observed job runs or may run.
func alive(j scheduler.Job) bool { return j.State != hpc.JobCompleting }

// unsubmitted is for a row without an id of the scheduler's. One that was lost
// and is to be submitted again waits for that; an accepted job whose request was
// never answered with an id is given up once it is old, or once the server that was
// asked has gone.
func (p *jobsPlan) unsubmitted(now time.Time, row *store.Job, id string, v *jobsView) {
	lost := row.PublicID != ""
	asked := now.Sub(row.Modified) < abandonAfter && !row.Modified.Before(v.Started)
	if row.Wanted && (lost || asked) {
		return
	}
	if id != "" {
		p.Stop = append(p.Stop, scheduler.Ref{ID: id, Token: row.Token})
		if row.Wanted { // so that its request, if it goes on after all, is not answered with the id
			row.Wanted, row.Modified = false, now
			p.Save = append(p.Save, row)
		}
		return
	}
	if !lost && v.Seen.Begun.Sub(row.Modified) < abandonAfter {
		return // it may still be on its way
	}
	p.Stop = append(p.Stop, scheduler.Ref{Token: row.Token})
	row.Wanted, row.State, row.Ended, row.Modified = false, hpc.JobCancelled, now, now
	p.Save = append(p.Save, row)
	p.Ledger.Ended = append(p.Ledger.Ended, row.ID) // it may have run before it was lost
}

func byRow(jobs []scheduler.Job) map[string][]scheduler.Job {
	m := map[string][]scheduler.Job{}
	for _, j := range jobs {
		m[j.Whole()] = append(m[j.Whole()], j)
	}
	return m
}

func ids(jobs []scheduler.Job) []string {
	list := make([]string, len(jobs))
	for i, j := range jobs {
		list[i] = j.Whole()
	}
	return list
}

// strange makes a row for a job that was submitted on a node or after the backup
// that the store was restored from; nil for another with a token of ours, whose
// row another pass will know. A job that was never released never ran, and its
// submission may have been repeated since: it is not wanted. What a budget holds
// is released as jobs of ours are.
func strange(now time.Time, v *jobsView, id string, queue, ends []scheduler.Job) *store.Job {
	first := slices.Concat(queue, ends)[0]
	if first.Token != "" && !v.Orphans[first.Token] {
		return nil
	}
	if first.State.Ended() && first.Submit.IsZero() {
		return nil // a record that was cut off: it may be of an array's task, under an id of its own
	}
	if refusedAtOnce(queue, ends) {
		return nil
	}
	owner, known := v.Names[first.UID]
	if !known {
		owner = strconv.Itoa(first.UID)
	}
	row := &store.Job{ID: store.NewID(), ClusterID: v.ClusterID, PublicID: id, SchedID: id, Owner: owner,
		Name: first.Name, Queue: first.Queue, Wanted: !v.Gone[first.UID] && !(first.Token != "" && first.Held), Released: !first.Closed, NodeList: []string{},
		Submitted: first.Submit, Sight: v.Seen.Begun, Modified: now}
	followJob(now, row, queue, ends)
	return row
}

// refusedAtOnce tells whether a job was never one: a scheduler writes down as
// failed what it refused to take, and has told its submitter so.
func refusedAtOnce(queue, ends []scheduler.Job) bool {
	return len(queue) == 0 && !slices.ContainsFunc(ends, func(e scheduler.Job) bool {
		return e.State != hpc.JobFailed || len(e.Nodes) > 0 || !e.Start.IsZero() || e.Run != nil
	})
}

// followJob brings a row to what was observed of it; it tells whether anything changed.
func followJob(now time.Time, row *store.Job, queue, ends []scheduler.Job) bool {
	before := *row
	row.Ends += len(ends)
	if slices.ContainsFunc(ends, func(e scheduler.Job) bool { return e.Task == "" }) {
		row.Ends = max(row.Ends, tasks(row)-len(queue)) // one end for all tasks that had not started
	}
	var last scheduler.Job
	for _, e := range ends {
		e = toldEnd(row, e)
		last = e
		takeJob(row, e)
		if e.State == hpc.JobNodeFail && e.Run != nil && e.Run.Killed != "" {
			row.Reason = e.Run.Killed // says more than the scheduler's word
		}
		if e.Array != "" && (e.State == unbegun || row.Worst == "" && e.State != hpc.JobCompleted) {
			row.Worst = e.State
		}
		if e.ExitCode != 0 {
			row.ExitCode = e.ExitCode
		}
	}
	for _, j := range queue {
		told := row.Reason
		takeJob(row, j)
		if len(ends) > 0 && !alive(j) {
			row.Reason = told // by the end
		}
		row.Priority = j.Priority // records of ends do not tell it
	}
	switch complete := row.Ends >= tasks(row); {
	case complete && len(ends) > 0 && over(queue, ends):
		row.State, row.Ended = endState(row, last), last.End
		if last.Reason != ends[len(ends)-1].Reason {
			row.Reason = last.Reason // which the queue does not tell
		}
		if last.Array == "" && !last.Start.IsZero() {
			row.Started = last.Start // nor does it tell of another start than its own
		}
	case len(queue) > 0:
		row.State, row.Ended = queueState(queue), time.Time{}
	case complete && row.State == hpc.JobCompleting: // its node failed, and it did not come back to the queue
		row.State, row.Ended = hpc.JobNodeFail, now
	}
	return !sameJob(&before, row)
}

func sameJob(a, b *store.Job) bool {
	return a.State == b.State && a.Reason == b.Reason && a.Ends == b.Ends && a.ExitCode == b.ExitCode &&
		a.Restarts == b.Restarts && a.Cores == b.Cores && a.Priority == b.Priority && a.Queue == b.Queue &&
		sameTime(a.Started, b.Started) && sameTime(a.Ended, b.Ended) && slices.Equal(a.NodeList, b.NodeList) &&
		a.Stdout == b.Stdout && a.Stderr == b.Stderr && a.Worst == b.Worst && a.Released == b.Released
}

// sameTime tells whether two times are one to the store: an observed one may be
// told more exactly than the store keeps it.
func sameTime(a, b time.Time) bool {
	return a.Truncate(store.TimeGrain).Equal(b.Truncate(store.TimeGrain))
}

// tasks is how many ends the row's job has; an array of unknown size has ended
// when nothing of it is queued.
func tasks(row *store.Job) int {
	r, err := hpc.ParseArray(row.Spec.Array)
	if err != nil {
		return 1
	}
	return r.Len()
}

// takeJob copies what one observed job tells about its row.
func takeJob(row *store.Job, j scheduler.Job) {
	row.Reason = j.Reason
	if len(j.Nodes) > 0 {
		row.NodeList, row.Nodes = slices.Sorted(slices.Values(j.Nodes)), len(j.Nodes)
	}
	if j.Cores > 0 {
		row.Cores = j.Cores
	}
	if j.Queue != "" {
		row.Queue = j.Queue
	}
	if j.Stdout != "" {
		row.Stdout, row.Stderr = j.Stdout, j.Stderr
	}
	row.Restarts = max(row.Restarts, j.Restarts)
	if !j.Start.IsZero() && (row.Started.IsZero() || j.Array == "") {
		row.Started = j.Start
	}
}

// queueState is an array's state while some of it is queued: it runs as soon as
// one task does.
func queueState(jobs []scheduler.Job) hpc.JobState {
	for _, want := range []hpc.JobState{hpc.JobRunning, hpc.JobCompleting, hpc.JobSuspended} {
		for _, j := range jobs {
			if j.State == want {
				return want
			}
		}
	}
	return hpc.JobPending
}
