// Package fake is a batch scheduler in memory: it queues, places and ends
// virtual jobs by the clock of time.Now and time.AfterFunc, so that it works in
// testing/synctest, and fails when told to. It runs no program.
package fake

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// Fake is a scheduler and, as it needs no daemons, its engine too.
type Fake struct {
	mu       sync.Mutex
	boot     time.Time
	stopped  bool
	lastID   int
	jobs     []*job // in order of submission; without the ended
	ends     []scheduler.Job
	past     []*job // ended jobs, for Crash
	nodes    []*node
	fence    Fence
	run      func(hpc.JobSpec, string) Outcome
	broken   int // how many starts fail from now on
	brokenAs hpc.JobState
	faults   map[string][]fault

	mistakes, stranger int // see Mistake
}

var (
	_ scheduler.Driver = (*Fake)(nil)
	_ scheduler.Engine = (*Fake)(nil)
)

// job is a plain job, a running task of an array, or the waiting part of one.
type job struct {
	spec    hpc.JobSpec
	view    scheduler.Job
	waiting []string // task indexes of the waiting part of an array
	held    bool
	freed   time.Time // when it was released
	nodes   []*node
	timer   *time.Timer
	claimed hpc.Run // its run, once it was told to begin
	missing bool    // it is taken for running, and has ended
}

type node struct {
	name   string
	queue  string
	cores  int
	used   int
	drain  bool
	down   bool
	reason string
}

// New makes a scheduler without nodes whose jobs run for a second and complete.
func New() *Fake {
	return &Fake{
		boot:   time.Now(),
		run:    func(hpc.JobSpec, string) Outcome { return Outcome{Duration: time.Second} },
		faults: map[string][]fault{},
	}
}

// Files implements scheduler.Engine: there are none.
func (f *Fake) Files(hpc.NodePlan) ([]scheduler.File, error) { return nil, nil }

// Services implements scheduler.Engine: there are none.
func (f *Fake) Services(hpc.NodePlan) []scheduler.Service { return nil }

// Joining implements scheduler.Engine.
func (f *Fake) Joining() string { return "" }

// Changed implements scheduler.Engine.
func (f *Fake) Changed(context.Context, hpc.NodePlan) error { return nil }

// Driver implements scheduler.Engine.
func (f *Fake) Driver() scheduler.Driver { return f }

// Submit implements scheduler.Driver.
func (f *Fake) Submit(ctx context.Context, spec hpc.JobSpec) (string, error) {
	var id string
	err := f.call(ctx, "Submit", func() error {
		j, err := f.newJob(spec)
		if err != nil {
			return err
		}
		id = j.view.ID
		f.jobs = append(f.jobs, j)
		return nil
	})
	return id, err
}

func (f *Fake) newJob(spec hpc.JobSpec) (*job, error) {
	if spec.Token == "" || spec.Script == "" {
		return nil, fmt.Errorf("%w: a job needs a token and a script", scheduler.ErrRejected)
	}
	j := &job{spec: spec, held: true, view: scheduler.Job{
		Token: spec.Token, Name: spec.Name, UID: spec.UID, Queue: spec.Queue,
		State: hpc.JobPending, Reason: "JobHeldAdmin", Submit: time.Now(),
		Cores:    max(spec.Nodes, 1) * perNode(spec),
		Priority: spec.Priority, Dir: spec.Dir, Stdout: spec.Stdout, Stderr: spec.Stderr,
	}}
	if spec.Queue == "" {
		j.view.Queue = hpc.DefaultQueue
	}
	if f.mistakes > 0 {
		f.mistakes--
		j.view.UID = f.stranger
	}
	f.lastID++
	j.view.ID = strconv.Itoa(f.lastID)
	if spec.Array == "" {
		return j, nil
	}
	r, err := hpc.ParseArray(spec.Array)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", scheduler.ErrRejected, err)
	}
	j.view.Array = j.view.ID
	for i := r.First; i <= r.Last; i += r.Step {
		j.waiting = append(j.waiting, strconv.Itoa(i))
	}
	return j, nil
}

// Find implements scheduler.Driver.
func (f *Fake) Find(ctx context.Context, token string, uid int) ([]string, error) {
	var ids []string
	err := f.call(ctx, "Find", func() error {
		look := func(v scheduler.Job) {
			id := v.ID
			if v.Array != "" {
				id = v.Array
			}
			if v.Token == token && v.UID == uid && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		for _, e := range f.ends {
			look(e)
		}
		for _, j := range f.jobs {
			look(j.view)
		}
		return nil
	})
	return ids, err
}

// Release implements scheduler.Driver.
func (f *Fake) Release(ctx context.Context, ids ...string) error {
	return f.call(ctx, "Release", func() error {
		for _, j := range f.jobs {
			if slices.Contains(ids, j.view.ID) && j.held {
				j.held, j.freed, j.view.Reason = false, time.Now(), "Resources"
			}
		}
		f.place()
		return nil
	})
}

// Cancel implements scheduler.Driver.
func (f *Fake) Cancel(ctx context.Context, ids ...string) error {
	return f.call(ctx, "Cancel", func() error {
		for _, j := range slices.Clone(f.jobs) {
			if slices.Contains(ids, j.view.ID) || slices.Contains(ids, j.view.Array) {
				f.end(j, hpc.JobCancelled, 0)
			}
		}
		f.place()
		return nil
	})
}

// Observe implements scheduler.Driver.
func (f *Fake) Observe(ctx context.Context, cursor string) (scheduler.Observation, error) {
	var o scheduler.Observation
	err := f.call(ctx, "Observe", func() error {
		from := 0
		if cursor != "" {
			n, err := strconv.Atoi(cursor)
			if err != nil || n < 0 || n > len(f.ends) {
				return fmt.Errorf("%w: the cursor %q is not one of mine", scheduler.ErrRejected, cursor)
			}
			from = n
		}
		o = scheduler.Observation{
			Begun: time.Now(), Boot: f.boot.Truncate(time.Second), // to the second, as Slurm does
			Ends: slices.Clone(f.ends[from:]), Cursor: strconv.Itoa(len(f.ends)),
		}
		for _, j := range f.jobs {
			j.view.Held = j.held
			o.Queue = append(o.Queue, j.view)
		}
		return nil
	})
	return o, err
}
