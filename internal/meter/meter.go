package meter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"ehpc/internal/hpc"
)

// Options say what a Meter looks at.
type Options struct {
	Groups  string   // where the control groups are, "/sys/fs/cgroup" on a node
	Jobs    []string // patterns of the scheduler's groups for jobs, whose names end in job_ID
	Proc    string   // "/proc" on a node
	Power   string   // "/sys/class/powercap" on a node
	Notes   string   // a directory on the node's own disk
	Records *Records
	Host    string
	Boot    string // of the node
	Log     *slog.Logger
}

// Meter measures the jobs of one node.
type Meter struct {
	opts    Options
	tree    tree
	machine *machine
	watch   *watch // nil where there can be none

	mu   sync.Mutex
	jobs map[string]*job // by id
}

// New makes the meter of a node and takes up the jobs that an earlier one
// followed. It is ErrNoGroups where there is nothing to read.
func New(opts Options) (*Meter, error) {
	t, err := openTree(opts.Groups, opts.Jobs)
	if err != nil {
		return nil, err
	}
	m := &Meter{opts: opts, tree: t, machine: openMachine(opts.Power, filepath.Join(opts.Proc, "stat")), jobs: map[string]*job{}}
	notes, err := os.ReadDir(opts.Notes)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot take up the measuring of jobs: %w", err)
	}
	for _, note := range notes {
		if jobPattern.MatchString(note.Name()) {
			m.recall(note.Name())
		}
	}
	return m, nil
}

// recall takes up a job that was measured here before, or is new. m.mu is held,
// or nobody else knows m yet.
func (m *Meter) recall(id string) *job {
	if j := m.jobs[id]; j != nil {
		return j
	}
	rec, there, err := m.opts.Records.load(id, m.opts.Host)
	if err != nil {
		m.opts.Log.Warn("cannot recall a measurement", "job", id, "err", err)
	}
	if !there || err != nil {
		rec = record{Measurement: hpc.Measurement{Job: id, Host: m.opts.Host}}
	}
	j := &job{rec: rec}
	m.jobs[id] = j
	return j
}

const (
	// lookEvery is how soon a job is found where there can be no watch.
	lookEvery = time.Second
	// lookAnyway is for what a watch overlooks.
	lookAnyway = 30 * time.Second
	// rest is how long one look follows another at the soonest.
	rest = 5 * time.Millisecond
	// retryAfter is for figures that could not be written down.
	retryAfter = 10 * time.Second
)

// Run measures until ctx ends.
func (m *Meter) Run(ctx context.Context) {
	var err error
	if m.watch, err = newWatch(ctx); err != nil {
		m.opts.Log.Warn("looking for jobs every second", "err", err)
	}
	for ctx.Err() == nil {
		now := time.Now()
		next := m.look(now, true)
		var news chan struct{}
		if m.watch != nil {
			news = m.watch.news
		}
		m.wait(ctx, now.Add(rest), nil)
		for !m.wait(ctx, next, news) && ctx.Err() == nil && time.Since(now) < m.lookAgain() {
			next = m.look(time.Now(), false)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range m.jobs {
		m.save(time.Now(), j)
	}
}

func (m *Meter) lookAgain() time.Duration {
	if m.watch == nil {
		return lookEvery
	}
	return lookAnyway
}

// wait waits for the time, or for news.
func (m *Meter) wait(ctx context.Context, until time.Time, news <-chan struct{}) (told bool) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-news:
		return true
	}
	return false
}

// look reads the jobs whose time has come, or all there are, those not seen
// before too. It returns when the next one's time comes.
func (m *Meter) look(now time.Time, all bool) (next time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if all {
		m.keepWatch()
		for _, group := range m.tree.find() {
			id, _ := jobOf(group)
			if j := m.jobs[id]; j == nil || j.rec.Group != group {
				m.begin(now, id, group)
			}
		}
	}
	next = now.Add(m.lookAgain())
	for id, j := range m.jobs {
		if all || !now.Before(j.due) {
			m.read(now, id, j)
		}
		if m.jobs[id] != nil && j.due.Before(next) {
			next = j.due
		}
	}
	return next
}

func (m *Meter) keepWatch() {
	if m.watch == nil {
		return
	}
	m.tree.places(func(dir string) {
		if err := m.watch.add(dir); err != nil {
			m.opts.Log.Warn("cannot watch control groups", "err", err)
		}
	})
}

// begin is for a group that is new.
func (m *Meter) begin(now time.Time, id, group string) {
	j := m.recall(id)
	if err := m.note(id); err != nil {
		m.opts.Log.Warn("cannot note which job is measured", "job", id, "err", err)
	}
	if j.rec.Group != group { // the counters of another one are not its
		j.rec.Group, j.rec.Inode = group, 0
	}
	j.due = now
}

// note has the job taken up by a meter that is started after this one.
func (m *Meter) note(id string) error {
	err := os.MkdirAll(m.opts.Notes, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(m.opts.Notes, id), nil, 0o600)
	}
	return err
}

// read looks at one job. One whose group is gone has used all that it will, but
// for a group that comes later.
func (m *Meter) read(now time.Time, id string, j *job) {
	r, err := m.tree.read(j.rec.Group)
	switch {
	case err == nil && j.rec.Group != "":
		j.take(now, j.rec.Group, m.opts.Boot, r, m.machine.now())
		if now.Sub(j.saved) >= saveEvery {
			m.save(now, j)
		}
	case err == nil || errors.Is(err, errGone):
		m.settle(now, id, j)
	default:
		m.opts.Log.Warn("cannot measure a job", "job", id, "err", err)
		j.due = now.Add(seldom)
	}
}

// settle writes down the last word on a job.
func (m *Meter) settle(now time.Time, id string, j *job) {
	if len(j.rec.Parts) > 0 {
		j.dirty = j.dirty || !j.rec.Final
		j.rec.Final = true
		if !m.save(now, j) {
			j.due = now.Add(retryAfter)
			return
		}
	}
	delete(m.jobs, id)
	if err := os.Remove(filepath.Join(m.opts.Notes, id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		m.opts.Log.Warn("cannot forget which job was measured", "job", id, "err", err)
	}
}

func (m *Meter) save(now time.Time, j *job) (saved bool) {
	if !j.dirty {
		return true
	}
	if err := m.opts.Records.save(j.rec); err != nil {
		m.opts.Log.Warn("cannot save a measurement", "err", err)
		j.saved = now.Add(retryAfter - saveEvery)
		return false
	}
	j.dirty, j.saved = false, now
	return true
}

// JobOf is the id of the job that a process is in and the name of the group within
// the job's that it is in; "" for a process of no job.
func (m *Meter) JobOf(pid int) (id, step string) {
	group, within := m.tree.of(m.opts.Proc, pid)
	id, _ = jobOf(group)
	step, _, _ = strings.Cut(within, "/")
	return id, step
}

// Look reads the job that a process belongs to, now: before its script ends, so
// that nothing is missed of it. Whoever asks, and however often, changes nothing
// but how fresh the figures are.
func (m *Meter) Look(pid int) {
	group, _ := m.tree.of(m.opts.Proc, pid)
	id, ok := jobOf(group)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	j := m.jobs[id]
	if j == nil || j.rec.Group != group {
		m.begin(now, id, group)
		j = m.jobs[id]
	}
	m.read(now, id, j)
}
