package reconcile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
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
	Started     time.Time     // of this server: requests of before are not answered any more
}

// planJobs moves rows to what the scheduler shows.
func planJobs(now time.Time, v *jobsView) jobsPlan {
	var p jobsPlan
	v.Runs.index()
	queue, ends := byRow(v.Seen.Queue), byRow(v.Seen.Ends)
	tokens := map[string]string{}
	for _, j := range v.Seen.Queue {
		if j.Token != "" {
			tokens[j.Token] = rowID(j)
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
		if stale(v, queue[id]) {
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
	queue = withoutEnded(row, queue, ends)
	if releaseForgotten(row, queue, v.Seen) {
		row.Released = false // saved with the reason, which has changed
	} else {
		queue = sinceRelease(row, queue, v.Seen)
	}
	if !row.Wanted && len(queue) > 0 {
		p.Stop = append(p.Stop, scheduler.Ref{ID: row.SchedID, Token: row.Token})
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
	if row.Released && row.Token != "" && slices.ContainsFunc(queue, func(j scheduler.Job) bool { return j.Refused && j.Restarts <= refusals }) {
		p.Refused = append(p.Refused, row)
	}
	if row.Restarts > 0 && row.State == hpc.JobRunning && row.Token != "" && now.Sub(row.Started) < doubtFor {
		p.Doubt = append(p.Doubt, row) // what ran before it may have died unnoticed, with its node
	}
}

// withoutEnded is what the queue shows of a row, without what has ended for sure:
// a controller that was killed has the end on record, and may show the job running
// until it asks the node, which takes minutes. Once the row has ended it is stopped,
// see cameBack.
func withoutEnded(row *store.Job, queue, ends []scheduler.Job) []scheduler.Job {
	if row.Token == "" {
		return queue
	}
	ended := func(j scheduler.Job) bool {
		return j.State == hpc.JobRunning && slices.ContainsFunc(ends, func(e scheduler.Job) bool {
			return e.Task == j.Task && e.Start.Equal(j.Start) && e.State != hpc.JobNodeFail && e.Run != nil && e.Run.Over()
		})
	}
	if !slices.ContainsFunc(queue, ended) {
		return queue
	}
	return slices.DeleteFunc(slices.Clone(queue), ended)
}

// again has a job submitted again that ended without having begun.
func (p *jobsPlan) again(row *store.Job) {
	resubmit(row)
	p.Lines = append(p.Lines, fmt.Sprintf("a node could not start job %s, it is submitted again", row.PublicID))
}

// sight is when the scheduler had a job for sure: not after the observation was
// begun, for the controller may have started anew, and have lost the job, since.
// One that was asked after its start has the job until the next start.
// Ends of an array's tasks may be told by one that has forgotten the rest.
func sight(row *store.Job, queue, ends []scheduler.Job, seen scheduler.Observation) time.Time {
	if sure := seen.Boot.Add(bootGrain); len(queue) > 0 && seen.Begun.Before(sure) && askedAfterBoot(seen) {
		return sure
	}
	if len(queue) > 0 {
		return seen.Begun
	}
	last := row.Sight
	for _, e := range ends {
		if e.End.After(last) {
			last = e.End
		}
	}
	return last
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

// releaseForgotten tells whether a scheduler that crashed holds a job again that
// was released before. What was seen held already before the crash is held by
// its owner, and so is what was seen waiting or running since.
func releaseForgotten(row *store.Job, queue []scheduler.Job, seen scheduler.Observation) bool {
	if !row.Released || row.Token == "" || !startedSince(row, seen) {
		return false
	}
	return slices.ContainsFunc(queue, func(j scheduler.Job) bool { return j.Held && j.Reason != row.Reason })
}

// sinceRelease is what the queue shows, but for the reason of a job that may have
// been seen before it was released: it is no word on what its owner did since.
func sinceRelease(row *store.Job, queue []scheduler.Job, seen scheduler.Observation) []scheduler.Job {
	if !row.Released || row.Token == "" || seen.Begun.After(row.Modified.Add(clockLimit)) ||
		!slices.ContainsFunc(queue, func(j scheduler.Job) bool { return j.Held }) {
		return queue
	}
	queue = slices.Clone(queue)
	for i := range queue {
		if queue[i].Held {
			queue[i].Reason = row.Reason
		}
	}
	return queue
}

// sightsPerPass bounds the rows that one pass writes only to note that they go on
// after a new start of the controller: every job may.
const sightsPerPass = 1000

// goesOn tells whether a controller that was started since a job's last sight has
// it waiting, unheld, or running: who holds it from now on is its owner.
func goesOn(row *store.Job, queue []scheduler.Job, seen scheduler.Observation) bool {
	return row.Released && row.Token != "" && startedSince(row, seen) && askedAfterBoot(seen) && len(queue) > 0 &&
		!slices.ContainsFunc(queue, func(j scheduler.Job) bool { return j.Held || j.State == hpc.JobCompleting })
}

// askedAfterBoot tells whether it was the controller which tells its start that
// showed the queue. Both times are by its node's clock, the start in whole seconds.
func askedAfterBoot(seen scheduler.Observation) bool {
	return seen.Begun.After(seen.Boot.Add(time.Second))
}

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

// rowID is the id of the row that an observed job belongs to: arrays have one row.
func rowID(j scheduler.Job) string {
	if j.Array != "" {
		return j.Array
	}
	return j.ID
}

func byRow(jobs []scheduler.Job) map[string][]scheduler.Job {
	m := map[string][]scheduler.Job{}
	for _, j := range jobs {
		m[rowID(j)] = append(m[rowID(j)], j)
	}
	return m
}

func ids(jobs []scheduler.Job) []string {
	list := make([]string, len(jobs))
	for i, j := range jobs {
		list[i] = rowID(j)
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

// followJob brings a row to what was observed of it; it tells whether anything changed.
func followJob(now time.Time, row *store.Job, queue, ends []scheduler.Job) bool {
	before := *row
	row.Ends += len(ends)
	if slices.ContainsFunc(ends, func(e scheduler.Job) bool { return e.Task == "" }) {
		row.Ends = max(row.Ends, tasks(row)-len(queue)) // one end for all tasks that had not started
	}
	for _, e := range ends {
		e = toldEnd(row, e)
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
		takeJob(row, j)
	}
	switch complete := row.Ends >= tasks(row); {
	case complete && len(ends) > 0 && over(queue, ends):
		end := ends[len(ends)-1]
		last := toldEnd(row, end)
		row.State, row.Ended = endState(row, last), last.End
		if last.Reason != end.Reason {
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

// over tells whether ends are a job's last word. They are told once and before
// the nodes have been cleared, while the queue still shows the job completing;
// only a job whose node failed may go back to the queue after that.
func over(queue, ends []scheduler.Job) bool {
	return !slices.ContainsFunc(queue, alive) &&
		(len(queue) == 0 || !slices.ContainsFunc(ends, func(j scheduler.Job) bool { return j.State == hpc.JobNodeFail }))
}

func sameJob(a, b *store.Job) bool {
	return a.State == b.State && a.Reason == b.Reason && a.Ends == b.Ends && a.ExitCode == b.ExitCode &&
		a.Restarts == b.Restarts && a.Cores == b.Cores && a.Priority == b.Priority && a.Queue == b.Queue &&
		a.Started.Equal(b.Started) && a.Ended.Equal(b.Ended) && slices.Equal(a.NodeList, b.NodeList) &&
		a.Stdout == b.Stdout && a.Stderr == b.Stderr && a.Worst == b.Worst && a.Released == b.Released
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
	if j.Priority > 0 {
		row.Priority = j.Priority
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

// toldEnd is an end of a row's job by all that is known of it.
func toldEnd(row *store.Job, e scheduler.Job) scheduler.Job {
	if neverBegan(row, e) {
		e.State = unbegun
		return e
	}
	return asForgotten(row, asStopped(row, asWritten(e)))
}

// unbegun is how a job ends that its scheduler calls failed and whose script has
// not begun. No row keeps it: the job is submitted again.
const unbegun hpc.JobState = "UNBEGUN"

// neverBegan tells whether a job failed that claimed no run. Its node could not
// start the script: for a busy one, Slurm may launch a job twice, and remove its
// script in the second attempt before the first has come to it. Where its
// directory is missing, another attempt would not help.
func neverBegan(row *store.Job, e scheduler.Job) bool {
	return row.Wanted && row.Token != "" && strings.EqualFold(e.Token, row.Token) && e.Run == nil && (e.Array == "" || e.Task != "") &&
		e.State == hpc.JobFailed && e.ExitCode != hpc.ExitNotLaunched && row.Attempt < refusals
}

// endGrain is how exactly schedulers tell when a job ended.
const endGrain = time.Second

// asForgotten is the end of a job that may not run again and was started again
// all the same, by a scheduler that had forgotten its run: whatever ended that
// start, the job has failed since its run was killed, and nobody cancelled it.
func asForgotten(row *store.Job, e scheduler.Job) scheduler.Job {
	r := e.Run
	if !row.Wanted || row.Spec.Rerunable || r == nil || !r.Over() || r.Killed == "" || !r.Began.Add(sameStart).Before(e.Start) {
		return e
	}
	if e.State == hpc.JobFailed || e.State == hpc.JobCancelled {
		e.State, e.ExitCode, e.Reason, e.Start, e.End = hpc.JobFailed, r.ExitCode, notAgain(*r), r.Began, r.Ended
	}
	return e
}

// asWritten is an end as its run was written down, where that says more than the
// scheduler: a script that came to its end did, whatever happened to its node.
func asWritten(e scheduler.Job) scheduler.Job {
	if e.Run == nil || !e.Run.Over() || e.Run.Killed != "" {
		return e
	}
	early := e.Run.Ended.Add(endGrain).Before(e.End) // cancelled once it had ended, by a scheduler that had forgotten that
	if s := e.State; s == hpc.JobCompleted || s == hpc.JobFailed || s == hpc.JobNodeFail || s == hpc.JobCancelled && early {
		e.State, e.ExitCode, e.End = hpc.JobCompleted, e.Run.ExitCode, e.Run.Ended
		if e.ExitCode != 0 {
			e.State = hpc.JobFailed
		}
		if e.Start.IsZero() || e.Start.After(e.End) { // started again, by a scheduler that had forgotten that
			e.Start = e.Run.Began
		}
	}
	return e
}

// asStopped is the end of a job that is not wanted: its processes may have been
// killed before the scheduler was told, as those of a deleted account are.
func asStopped(row *store.Job, e scheduler.Job) scheduler.Job {
	const killed, terminated = 128 + 9, 128 + 15
	if !row.Wanted && e.State == hpc.JobFailed && (e.ExitCode == killed || e.ExitCode == terminated) {
		e.State, e.ExitCode = hpc.JobCancelled, 0
	}
	return e
}

// endState is the state of a row that has ended: an array has completed only if
// every task did.
func endState(row *store.Job, last scheduler.Job) hpc.JobState {
	if row.Worst != "" {
		return row.Worst
	}
	return last.State
}
