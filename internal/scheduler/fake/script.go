package fake

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// Outcome is how a job runs and ends. The zero State is COMPLETED or, with an
// exit code, FAILED.
type Outcome struct {
	Duration time.Duration
	ExitCode int
	State    hpc.JobState
}

func (o Outcome) end() (hpc.JobState, int) {
	switch {
	case o.State != "":
		return o.State, o.ExitCode
	case o.ExitCode != 0:
		return hpc.JobFailed, o.ExitCode
	}
	return hpc.JobCompleted, 0
}

// Script decides how jobs that start from now on run; task is an array task's
// index. The function is called under the scheduler's lock.
func (f *Fake) Script(run func(spec hpc.JobSpec, task string) Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.run = run
}

// Mistake takes the next so many jobs for those of uid.
func (f *Fake) Mistake(times, uid int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mistakes, f.stranger = times, uid
}

// BreakStarts lets the next so many starts of jobs fail before their scripts
// begin, as Slurm's do whose script has gone.
func (f *Fake) BreakStarts(times int) { f.BreakStartsAs(times, hpc.JobFailed) }

// BreakStartsAs is BreakStarts with the state in which such jobs end: on a busy
// node, Slurm cancels some and gives the node of others up.
func (f *Fake) BreakStartsAs(times int, state hpc.JobState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken, f.brokenAs = times, state
}

// AddNode registers a compute node, as its daemon would. A node that was known
// comes back without its jobs being touched, and out of a down.
func (f *Fake) AddNode(name string, cores int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.find(name)
	if n == nil {
		n = &node{name: name}
		f.nodes = append(f.nodes, n)
	}
	n.cores = cores
	if n.down {
		n.down, n.reason = false, ""
	}
	f.place()
}

// Stop makes every call fail with ErrUnavailable until Start; jobs go on.
func (f *Fake) Stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
}

// Start boots the controller after a Stop, or anew.
func (f *Fake) Start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped, f.boot = false, time.Now()
}

// Lose makes the scheduler forget a queued job as after a crash: without an end.
func (f *Fake) Lose(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range slices.Clone(f.jobs) {
		if j.view.ID == id || j.view.Array == id {
			f.fence.kill(j)
			f.vacate(j)
			f.jobs = slices.DeleteFunc(f.jobs, func(o *job) bool { return o == j })
		}
	}
}

// fault makes one call fail.
type fault struct {
	err   error
	after bool
}

// Fail makes the next call of the method ("Submit", "Drain", …) fail with err
// and change nothing. Repeated, it fails as many calls.
func (f *Fake) Fail(method string, err error) { f.inject(method, fault{err: err}) }

// FailAfter makes the next call of the method do its work and then fail with
// err, like an answer that is lost.
func (f *Fake) FailAfter(method string, err error) { f.inject(method, fault{err, true}) }

func (f *Fake) inject(method string, x fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[method] = append(f.faults[method], x)
}

// call runs one method under the lock, with its faults.
func (f *Fake) call(ctx context.Context, method string, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cannot ask the scheduler: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped {
		return scheduler.ErrUnavailable
	}
	var x fault
	if faults := f.faults[method]; len(faults) > 0 {
		x, f.faults[method] = faults[0], faults[1:]
	}
	if x.err != nil && !x.after {
		return x.err
	}
	if err := fn(); err != nil {
		return err
	}
	return x.err
}
