package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// over tells whether ends are a job's last word. They are told once and before
// the nodes have been cleared, while the queue still shows the job completing;
// only a job whose node failed may go back to the queue after that.
func over(queue, ends []scheduler.Job) bool {
	return !slices.ContainsFunc(queue, alive) &&
		(len(queue) == 0 || !slices.ContainsFunc(ends, func(j scheduler.Job) bool { return j.State == hpc.JobNodeFail }))
}

// withoutEnded is what the queue shows of a row, without what has ended for sure:
// a controller that was killed has the end on record, and may show the job running
// until it asks the node, which takes minutes. Once the row has ended it is stopped,
// see cameBack.
func withoutEnded(row *store.Job, queue, ends []scheduler.Job) []scheduler.Job {
	ended := func(j scheduler.Job) bool {
		return j.State == hpc.JobRunning && slices.ContainsFunc(ends, func(e scheduler.Job) bool {
			return e.Task == j.Task && e.Start.Equal(j.Start) && e.State != hpc.JobNodeFail && e.Run != nil && e.Run.Over()
		})
	}
	if row.Token == "" || !slices.ContainsFunc(queue, ended) {
		return queue
	}
	return slices.DeleteFunc(slices.Clone(queue), ended)
}

// toldEnd is an end of a row's job by all that is known of it.
func toldEnd(row *store.Job, e scheduler.Job) scheduler.Job {
	if neverBegan(row, e) {
		if row.Attempt+1 >= startsLimit {
			return notStarted(row, e)
		}
		e.State = unbegun
		return e
	}
	return asForgotten(row, asStopped(row, asWritten(e)))
}

// unbegun is how a job ends that its scheduler calls ended and whose script has
// not begun. No row keeps it: the job is submitted again.
const unbegun hpc.JobState = "UNBEGUN"

// neverBegan tells whether a job ended that claimed no run, though nobody stopped
// it. Its node could not start the script: for a busy one, Slurm may launch a job
// twice, and remove its script in the second attempt before the first has come to
// it, or give a start up that was not confirmed in time. Where its directory is
// missing, or its memory too small, another attempt would not help.
func neverBegan(row *store.Job, e scheduler.Job) bool {
	if !row.Wanted || row.Token == "" || !strings.EqualFold(e.Token, row.Token) || e.Run != nil || e.Array != "" && e.Task == "" {
		return false
	}
	switch e.State {
	case hpc.JobFailed:
		return e.ExitCode != hpc.ExitNotLaunched
	case hpc.JobCancelled:
		return e.GivenUp
	case hpc.JobNodeFail, hpc.JobTimeout:
		return len(e.Nodes) > 0
	}
	return false
}

// startsLimit is how often a job is submitted, or let go, that no node begins. With
// the pauses between that are some minutes, in which a node that is broken is
// replaced, and the time that its starts take: on a machine that is overloaded a
// minute or two each.
const startsLimit = 30

// startPause is how long a job waits after so many starts that failed: after one,
// not at all.
func startPause(first time.Duration, failed int) time.Duration {
	if failed < 2 {
		return 0
	}
	return first << min(failed-2, 4)
}

// notStarted is the end of a job that no node begins.
func notStarted(row *store.Job, e scheduler.Job) scheduler.Job {
	e.State, e.Reason = hpc.JobFailed, fmt.Sprintf("no node could start it, in %d attempts; the last one was on %s",
		row.Attempt+1, cmp.Or(strings.Join(e.Nodes, ", "), "none"))
	return e
}

// scriptGoesOn is why a job is not shown that has not ended.
const scriptGoesOn = "the scheduler has given its node up; its script may go on there"

// mayGoOn tells whether a job's node failed, as its scheduler has it, while its
// script goes on, for all that is known.
func mayGoOn(row *store.Job, e scheduler.Job) bool {
	return row.Wanted && row.Token != "" && row.Spec.Array == "" && !row.Spec.Rerunable &&
		e.State == hpc.JobNodeFail && e.Run != nil && !e.Run.Over()
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
