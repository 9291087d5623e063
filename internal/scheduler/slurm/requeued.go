package slurm

import (
	"context"
	"errors"
	"slices"
	"sync"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// requeued are the jobs of nodes that were set down. Slurm puts them back into
// the queue some seconds later and then holds them for two minutes, to be sure
// that the node is gone; we know that it is. Forgotten with the agent, a job
// only waits these minutes.
type requeued struct {
	mu  sync.Mutex
	ids map[string]bool
}

// add notes the jobs that ran on the node.
func (r *requeued) add(jobs []scheduler.Job, node string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids == nil {
		r.ids = map[string]bool{}
	}
	for _, job := range jobs {
		if slices.Contains(job.Nodes, node) {
			r.ids[job.ID] = true
		}
	}
}

// due takes out the jobs that are held back now. Those that are gone or run
// again are forgotten.
func (r *requeued) due(queue []scheduler.Job) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var due []string
	waiting := map[string]bool{}
	for _, job := range queue {
		switch {
		case !r.ids[job.ID]:
		case job.State == hpc.JobPending && job.Reason == "BeginTime":
			due = append(due, job.ID)
		case job.State == hpc.JobCompleting, job.Restarts == 0, job.State == hpc.JobPending:
			waiting[job.ID] = true
		}
	}
	r.ids = waiting
	return due
}

// hasten lets requeued jobs start at once.
func (c *client) hasten(ctx context.Context, queue []scheduler.Job) error {
	for _, id := range c.requeued.due(queue) {
		_, err := c.run(ctx, call{argv: []string{"scontrol", "update", "jobid=" + id, "starttime=now"}})
		if err != nil && !errors.Is(err, scheduler.ErrRejected) { // it may have ended meanwhile
			return err
		}
	}
	return nil
}
