package fake

import (
	"cmp"
	"slices"
	"time"

	"ehpc/internal/hpc"
)

// Fence is what jobs claim their runs from; the zero one lets all begin.
type Fence struct {
	Claim func(run hpc.Run, uid int) (given hpc.Run, verdict string, code int)
	End   func(run hpc.Run, code int)
	Kill  func(run hpc.Run)
}

// claimPause is how long a job waits that is told to.
const claimPause = 100 * time.Millisecond

// Guarded makes jobs that start from now on claim their runs.
func (f *Fake) Guarded(by Fence) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fence = by
}

func (x Fence) claim(j *job) (run hpc.Run, verdict string, code int) {
	if x.Claim == nil {
		return run, "begin", 0
	}
	return x.Claim(hpc.Run{Token: j.spec.Token, Task: j.view.Task, ID: j.view.Whole(), Own: cmp.Or(j.view.Own, j.view.ID), Restarts: j.view.Restarts, Host: j.nodes[0].name}, j.view.UID)
}

func (x Fence) end(j *job, code int) {
	if x.End != nil {
		x.End(j.claimed, code)
		j.claimed = hpc.Run{}
	}
}

// kill is for a job that is taken off its nodes before its end.
func (x Fence) kill(j *job) {
	if x.Kill != nil && j.claimed.Token != "" {
		x.Kill(j.claimed)
		j.claimed = hpc.Run{}
	}
}

// Crash kills the controller, and starts it with the state it wrote down so long
// ago. As Slurm does, it forgets what was submitted since, holds what was
// released since, begins again what began since, keeps the ends that it told, and
// takes what ran then and has ended since for running.
func (f *Fake) Crash(ago time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	saved := time.Now().Add(-ago)
	for _, j := range slices.Clone(f.jobs) {
		f.restore(j, saved)
	}
	for _, j := range f.past {
		if j.view.End.After(saved) && !j.view.Submit.After(saved) {
			f.jobs = append(f.jobs, j)
			f.unend(j, saved)
		}
	}
	f.past = slices.DeleteFunc(f.past, func(j *job) bool { return !j.view.State.Ended() })
	f.stopped, f.boot = false, time.Now()
	f.place()
}

// unend takes a job that has ended for what it was before.
func (f *Fake) unend(j *job, saved time.Time) {
	var nodes []*node
	for _, name := range j.view.Nodes {
		if n := f.find(name); n != nil && !n.down && n.cores-n.used >= perNode(j.spec) {
			nodes = append(nodes, n)
		}
	}
	j.view.End, j.view.ExitCode = time.Time{}, 0
	if len(nodes) > 0 && len(nodes) == len(j.view.Nodes) && !j.view.Start.After(saved) && j.view.State != hpc.JobNodeFail {
		j.view.State = hpc.JobRunning
		j.nodes, j.timer, j.missing = nodes, time.NewTimer(0), true
		for _, n := range nodes {
			n.used += perNode(j.spec)
		}
		return
	}
	j.view.State, j.view.Start, j.view.Nodes = hpc.JobPending, time.Time{}, nil
	j.hold(saved)
}

// AskNodes has the controller find out which jobs that it takes for running have
// ended, as Slurm does after minutes.
func (f *Fake) AskNodes() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range slices.Clone(f.jobs) {
		switch {
		case !j.missing:
		case j.spec.Rerunable:
			f.requeue(j)
		default:
			f.end(j, hpc.JobNodeFail, 1)
		}
	}
	f.place()
}

// restore puts a queued job back to what it was.
func (f *Fake) restore(j *job, saved time.Time) {
	switch {
	case j.view.Submit.After(saved) && j.view.Restarts == 0:
		f.fence.kill(j)
		f.vacate(j)
		f.jobs = slices.DeleteFunc(f.jobs, func(o *job) bool { return o == j })
	case j.timer != nil && j.view.Start.After(saved):
		f.fence.kill(j)
		f.vacate(j)
		j.view.State, j.view.Start, j.view.Nodes = hpc.JobPending, time.Time{}, nil
		j.hold(saved)
	case j.timer == nil && !j.held:
		j.hold(saved)
	}
}

// hold holds the job if it was released after what was saved.
func (j *job) hold(saved time.Time) {
	if j.held = j.freed.After(saved); j.held {
		j.view.Reason = "JobHeldAdmin"
		return
	}
	j.view.Reason = "Resources"
}

// PowerOff stops what runs on a node without telling the controller: it holds
// these jobs for running until it is told that the node is down.
func (f *Fake) PowerOff(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.powerOff(name)
}

// powerOff needs f.mu. A timer that has fired finds that it is not the job's.
func (f *Fake) powerOff(name string) {
	for _, j := range f.jobs {
		if j.timer != nil && slices.Contains(j.view.Nodes, name) {
			j.timer.Stop()
			j.timer = time.NewTimer(0)
			j.claimed = hpc.Run{}
		}
	}
}
