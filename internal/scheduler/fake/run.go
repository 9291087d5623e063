package fake

import (
	"cmp"
	"slices"
	"time"

	"ehpc/internal/hpc"
)

// perNode is how many cores the job takes on each of its nodes.
func perNode(spec hpc.JobSpec) int { return max(spec.Tasks, 1) * max(spec.Threads, 1) }

// place starts every job that fits, by priority and then in order of submission.
// f.mu is held.
func (f *Fake) place() {
	jobs := slices.Clone(f.jobs)
	slices.SortStableFunc(jobs, func(a, b *job) int { return cmp.Compare(b.view.Priority, a.view.Priority) })
	for _, j := range jobs {
		for j.timer == nil && !j.held {
			nodes := f.fit(j.spec)
			if nodes == nil {
				break
			}
			f.start(j, nodes)
			if j.view.Array != "" && len(j.waiting) == 0 {
				break
			}
		}
	}
}

// fit returns nodes for the job, nil if there are too few now.
func (f *Fake) fit(spec hpc.JobSpec) []*node {
	want := max(spec.Nodes, 1)
	var nodes []*node
	for _, n := range f.nodes {
		if !n.drain && !n.down && n.serves(spec) && n.cores-n.used >= perNode(spec) {
			nodes = append(nodes, n)
		}
		if len(nodes) == want {
			return nodes
		}
	}
	return nil
}

// start runs the job, or the first waiting task of an array.
func (f *Fake) start(j *job, nodes []*node) {
	if j.waiting != nil {
		j = f.split(j)
	}
	now := time.Now()
	j.nodes = nodes
	j.view.State, j.view.Reason, j.view.Start = hpc.JobRunning, "", now
	j.view.Nodes = nil
	for _, n := range nodes {
		n.used += perNode(j.spec)
		j.view.Nodes = append(j.view.Nodes, n.name)
	}
	f.begin(j)
}

// begin runs a job's script, as far as its claim lets it.
func (f *Fake) begin(j *job) {
	if f.broken > 0 {
		f.broken--
		state := f.brokenAs
		f.after(j, 0, func() {
			j.view.GivenUp = state == hpc.JobCancelled
			f.end(j, state, 2)
		})
		return
	}
	run, verdict, code := f.fence.claim(j)
	switch verdict {
	case "wait":
		f.after(j, claimPause, func() { f.begin(j) })
		return
	case "end":
		state, code := Outcome{ExitCode: code}.end()
		f.after(j, 0, func() { f.end(j, state, code) })
		return
	}
	j.claimed = run
	outcome := f.run(j.spec, j.view.Task)
	state, code := outcome.end()
	if limit := j.spec.Walltime; limit > 0 && outcome.Duration > limit {
		outcome.Duration, state, code = limit, hpc.JobTimeout, 0
	}
	f.after(j, outcome.Duration, func() {
		f.fence.end(j, code)
		f.end(j, state, code)
	})
}

// after does something with the job later, unless it was taken off its nodes.
func (f *Fake) after(j *job, wait time.Duration, do func()) {
	restarts := j.view.Restarts
	var timer *time.Timer
	timer = time.AfterFunc(wait, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if j.nodes == nil || j.view.Restarts != restarts || j.timer != timer {
			return
		}
		do()
		f.place()
	})
	j.timer = timer
}

// split takes the first waiting task out of an array.
func (f *Fake) split(array *job) *job {
	task := &job{spec: array.spec, view: array.view}
	task.view.Task = array.waiting[0]
	task.view.ID = array.view.ID + "_" + task.view.Task
	array.waiting = array.waiting[1:]
	at := slices.Index(f.jobs, array)
	f.jobs = slices.Insert(f.jobs, at, task)
	if len(array.waiting) == 0 {
		f.jobs = slices.Delete(f.jobs, at+1, at+2)
	}
	return task
}

func (f *Fake) vacate(j *job) {
	for _, n := range j.nodes {
		n.used -= perNode(j.spec)
	}
	j.nodes, j.missing = nil, false
	if j.timer != nil {
		j.timer.Stop()
		j.timer = nil
	}
}

func (f *Fake) requeue(j *job) {
	f.fence.kill(j)
	f.vacate(j)
	j.view.State, j.view.Reason = hpc.JobPending, "BeginTime"
	j.view.Start, j.view.Nodes, j.view.Submit = time.Time{}, nil, time.Now()
	j.view.Restarts++
}

func (f *Fake) end(j *job, state hpc.JobState, code int) {
	f.fence.kill(j) // unless it has come to its end
	f.vacate(j)
	j.view.State, j.view.ExitCode, j.view.End = state, code, time.Now()
	j.view.Reason = ""
	f.jobs = slices.DeleteFunc(f.jobs, func(o *job) bool { return o == j })
	f.ends = append(f.ends, j.view)
	f.past = append(f.past, j)
}
