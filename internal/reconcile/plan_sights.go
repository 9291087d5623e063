package reconcile

import (
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

const (
	// startGrain is how exactly a controller tells when it started.
	startGrain = time.Second
	// bootGrain is how exactly that is known to the server: the clock of the
	// controller's node may be off by what health lets pass.
	bootGrain = startGrain + clockLimit
)

// lastSight is when the scheduler had a row's job for sure.
func lastSight(row *store.Job) time.Time {
	if row.Sight.IsZero() {
		return row.Modified
	}
	return row.Sight
}

// startedSince tells whether the controller may have been started since a row's
// last sight, with what it had written down before.
func startedSince(row *store.Job, seen scheduler.Observation) bool {
	return seen.Boot.Add(bootGrain).After(lastSight(row))
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
	return seen.Begun.After(seen.Boot.Add(startGrain))
}
