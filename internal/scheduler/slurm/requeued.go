package slurm

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// requeued are the jobs of nodes that were set down or that gave theirs back, and
// from when on they may start again. Slurm puts them back into the queue some seconds later and then
// holds them for two minutes, to be sure that the node is gone; we know that it
// is. Forgotten with the agent, a job only waits these minutes.
type requeued struct {
	mu  sync.Mutex
	ids map[string]time.Time
}

// callsOff is how long Slurm goes on trying to tell a node that was set down to
// end its jobs: three times TCPTimeout, and some. A node that is made anew at the
// same address hears that, and would end a run that began meanwhile.
const callsOff = 8 * time.Second

// takesBack is how long a node that lives refuses a job that it was told to end,
// and Slurm then holds it for good: what lets it run must be stamped later than
// what ended it, and both stamps are in seconds.
const takesBack = 2 * time.Second

// add notes that the jobs which ran on the node may start again from then on.
func (r *requeued) add(from time.Time, jobs []scheduler.Job, node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids == nil {
		r.ids = map[string]time.Time{}
	}
	for _, job := range jobs {
		if slices.Contains(job.Nodes, node) {
			r.ids[job.ID] = from
		}
	}
}

// due takes out the jobs that are held back and may start now. Those that are
// gone or run again are forgotten.
func (r *requeued) due(now time.Time, queue []scheduler.Job) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var due []string
	waiting := map[string]time.Time{}
	for _, job := range queue {
		from, noted := r.ids[job.ID]
		switch {
		case !noted:
		case job.State == hpc.JobPending && job.Reason == "BeginTime" && !now.Before(from):
			due = append(due, job.ID)
		case job.State == hpc.JobCompleting, job.Restarts == 0, job.State == hpc.JobPending:
			waiting[job.ID] = from
		}
	}
	r.ids = waiting
	return due
}

// hasten lets requeued jobs start at once.
func (c *client) hasten(ctx context.Context, queue []scheduler.Job) error {
	for _, id := range c.requeued.due(time.Now(), queue) {
		_, err := c.run(ctx, call{argv: []string{"scontrol", "update", "jobid=" + id, "starttime=now"}})
		if err != nil && !errors.Is(err, scheduler.ErrRejected) { // it may have ended meanwhile
			return err
		}
	}
	return nil
}
