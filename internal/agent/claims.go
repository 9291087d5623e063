package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ehpc/internal/fence"
)

// runsPath is where the node's agent notes the runs that it watches.
const runsPath = "/var/lib/ehpc/runs"

// TakeClaims lets the jobs of this node claim their runs, until ctx ends.
func (a *Agent) TakeClaims(ctx context.Context) error {
	if a.meter == nil {
		return errors.New("cannot take claims: no control groups tell the jobs of this node apart")
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("cannot take claims: %w", err)
	}
	stir := func() {
		select {
		case a.runs <- struct{}{}:
		default:
		}
	}
	watch, err := fence.NewWatch(a.opts.Journal, filepath.Join(a.opts.Root, runsPath), stir, a.opts.Log)
	if err != nil {
		return err
	}
	l, err := fence.Listen(filepath.Join(a.opts.Root, fence.SocketPath))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	desk := &fence.Desk{Journal: a.opts.Journal, Watch: watch, Host: host, Boot: bootID(), Job: a.batchOf, Knows: a.knowsUID, Look: a.lookAtRun}
	desk.Serve(l)
	return nil
}

// batchOf is the id of the job whose batch script a process belongs to, "" if it
// belongs to none.
func (a *Agent) batchOf(pid int) string {
	id, step := a.meter.JobOf(pid)
	if step != a.opts.BatchGroup {
		return ""
	}
	return id
}

// lookAtRun is for a process that stands for a run, as it begins and ends.
func (a *Agent) lookAtRun(pid int) {
	if a.weights != nil {
		if err := a.weights.lower(pid); err != nil {
			a.opts.Log.Warn("a job weighs as much as the node's daemons", "err", err)
		}
	}
	a.meter.Look(pid)
}

const pruneEvery = 24 * time.Hour

// Prune removes, now and then, what the manager's node keeps of jobs that have
// ended long ago.
func (a *Agent) Prune(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		if _, manager := a.Engine(); manager {
			if err := errors.Join(a.opts.Journal.Prune(time.Now()), a.opts.Usage.Prune(time.Now())); err != nil {
				a.opts.Log.Warn("cannot prune", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
