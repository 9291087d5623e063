package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"ehpc/internal/fence"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/meter"
	"ehpc/internal/scheduler"
)

// Version is what an agent reports about itself.
const Version = "0.1"

// Options are what an Agent needs.
type Options struct {
	// Root is where the node's file system begins, "/" on a node.
	Root string
	// Program is the agent's own executable, which also is the helper that
	// commands and files of accounts go through.
	Program string
	// Supervisor looks after daemons.
	Supervisor Supervisor
	// Journal is where the cluster's jobs and their runs are written down.
	Journal *fence.Journal
	// Engines are the schedulers that this agent can set up, by the plan's name.
	Engines map[string]scheduler.Engine
	// JobGroups are patterns of the control groups that these make for jobs.
	JobGroups []string
	// BatchGroup is the group within a job's in which its batch script runs.
	BatchGroup string
	// Usage is where is written down what the cluster's jobs used.
	Usage *meter.Records
	Log   *slog.Logger
}

// Agent looks after one node.
type Agent struct {
	opts     Options
	files    files
	journal  journal
	commands sync.WaitGroup
	looks    looks         // at file systems, that have not come back
	meter    *meter.Meter  // nil where jobs cannot be measured
	weights  *weights      // nil where there are none
	ended    chan struct{} // a command has, since Watch looked last
	runs     chan struct{} // a job's run has begun or ended, likewise

	accounts roster
	applying sync.Mutex // one plan at a time
	mu       sync.Mutex
	last     applied
	pruned   time.Time // when the commands' journal was
}

var _ link.Node = (*Agent)(nil)

// New makes the agent of the node and takes up what an earlier one left.
func New(opts Options) (*Agent, error) {
	a := &Agent{
		opts:    opts,
		files:   files{root: opts.Root},
		journal: journal{dir: opts.Root + "/var/lib/ehpc/commands"},
		weights: openWeights(opts.Root, opts.JobGroups),
		ended:   make(chan struct{}, 1),
		runs:    make(chan struct{}, 1),
	}
	last, err := a.loadApplied()
	if err != nil {
		return nil, err
	}
	a.last = last
	if a.meter, err = a.newMeter(); err != nil {
		return nil, err
	}
	a.prune(time.Now())
	return a, nil
}

// Engine returns the engine of the last plan, nil before there was one, and
// whether this node runs its controller.
func (a *Agent) Engine() (engine scheduler.Engine, manager bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.opts.Engines[a.last.Scheduler], a.last.Manager
}

// Rejoin implements link.Node.
func (a *Agent) Rejoin(ctx context.Context) error {
	engine, _ := a.Engine()
	if engine == nil {
		return errors.New("cannot join the scheduler: this node was not set up for one yet")
	}
	if engine.Joining() == "" {
		return nil
	}
	return a.opts.Supervisor.Restart(ctx, engine.Joining())
}

// Apply implements link.Node.
func (a *Agent) Apply(ctx context.Context, plan hpc.NodePlan) error {
	a.applying.Lock()
	defer a.applying.Unlock()
	if err := a.apply(ctx, plan); err != nil {
		return fmt.Errorf("cannot set up node %s: %w", plan.Self.Hostname, err)
	}
	done := appliedFrom(plan)
	if err := a.saveApplied(done); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = done
	return nil
}
