package fence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// Journal is the directory on the cluster's volume, root's alone. A job is a
// file named by its token; each of its runs is a file beside it. Files are
// written once per line, and only ever longer.
type Journal struct{ dir string }

// Open returns the journal in dir, which need not exist before something is written.
func Open(dir string) *Journal { return &Journal{dir: dir} }

var (
	tokenPattern = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
	taskPattern  = regexp.MustCompile(`^[0-9]{0,9}$`)
)

// errNoJob: nothing was submitted under the token.
var errNoJob = errors.New("nothing was submitted under this token")

// attempt is one submission of a job; ID is "" until the scheduler's answer was
// written down.
type attempt struct {
	N  int
	ID string
}

// jobFile is what stands in a job's file.
type jobFile struct {
	UID       int
	Tasks     int // how many runs come to an end when all goes well
	Array     string
	Rerunable bool
	Attempts  []attempt
	Buried    bool // it is not wanted any more
}

// jobLine is a line of a job's file; the set fields count.
type jobLine struct {
	Job     *jobFile `json:",omitempty"`
	Attempt *attempt `json:",omitempty"`
	Buried  bool     `json:",omitempty"`
}

func (j jobFile) last() attempt {
	if len(j.Attempts) == 0 {
		return attempt{N: -1}
	}
	return j.Attempts[len(j.Attempts)-1]
}

// has tells whether the task is one of the job's.
func (j jobFile) has(task string) bool {
	if j.Array == "" {
		return task == "" || j.Tasks > 1 // written down before its array was
	}
	r, err := hpc.ParseArray(j.Array)
	index, failed := strconv.Atoi(task)
	return err == nil && failed == nil && strconv.Itoa(index) == task &&
		index >= r.First && index <= r.Last && (index-r.First)%r.Step == 0
}

// shard spreads the tokens, which differ at their end, over directories.
func (j *Journal) shard(token string) string {
	return filepath.Join(j.dir, token[max(len(token)-2, 0):])
}

func (j *Journal) jobPath(token string) string { return filepath.Join(j.shard(token), token) }

// runPath is where the nth run of a task is written down.
func (j *Journal) runPath(token, task string, n int) string {
	name := token
	if task != "" {
		name += ".t" + task
	}
	return filepath.Join(j.shard(token), name+".r"+strconv.Itoa(n))
}

// runName takes a run's file name apart.
func runName(name string) (token, task string, n int, ok bool) {
	rest, number, ok := cutLast(name, ".r")
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		return "", "", 0, false
	}
	token, task, _ = strings.Cut(rest, ".t")
	return token, task, n, tokenPattern.MatchString(token) && taskPattern.MatchString(task)
}

func cutLast(text, sep string) (before, after string, ok bool) {
	at := strings.LastIndex(text, sep)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(sep):], true
}

// job reads a job's file.
func (j *Journal) job(token string) (jobFile, error) {
	var job jobFile
	if !tokenPattern.MatchString(token) {
		return job, errNoJob
	}
	text, err := os.ReadFile(j.jobPath(token))
	if errors.Is(err, fs.ErrNotExist) {
		return job, errNoJob
	}
	if err != nil {
		return job, fmt.Errorf("cannot read the journal of jobs: %w", err)
	}
	known := false
	each(text, func(line jobLine) {
		switch {
		case line.Job != nil:
			job, known = *line.Job, true
		case line.Attempt != nil && job.last().N == line.Attempt.N:
			job.Attempts[len(job.Attempts)-1] = *line.Attempt
		case line.Attempt != nil:
			job.Attempts = append(job.Attempts, *line.Attempt)
		case line.Buried:
			job.Buried = true
		}
	})
	if !known {
		return job, errNoJob
	}
	return job, nil
}

// each reads the lines of a file. A line that a crash cut off says nothing.
func each[T any](text []byte, fn func(T)) {
	for line := range bytes.Lines(text) {
		var value T
		if json.Unmarshal(line, &value) == nil {
			fn(value)
		}
	}
}

// line is one record. It begins a line of its own, should a crash have cut the
// one before off.
func line(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // plain data always marshals
	}
	return append(append([]byte("\n"), text...), '\n')
}

// add appends a record to a file, which flags may make; sync makes it survive a
// power cut.
func add(path string, flags int, value any, sync bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|flags, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(line(value))
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// create makes a file with one record, durably and whole, or fails with
// fs.ErrExist.
func create(path string, value any) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".fresh-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(line(value))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Link(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names of new files in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// begin writes down that a job is about to be submitted.
func (j *Journal) begin(spec hpc.JobSpec) error {
	if !tokenPattern.MatchString(spec.Token) {
		return fmt.Errorf("%.80q is not a token", spec.Token)
	}
	dir := j.shard(spec.Token)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot write the journal of jobs: %w", err)
	}
	tasks := 1
	if r, err := hpc.ParseArray(spec.Array); err == nil {
		tasks = r.Len()
	}
	path := j.jobPath(spec.Token)
	_, err := j.job(spec.Token)
	if errors.Is(err, errNoJob) {
		err = add(path, os.O_CREATE, jobLine{Job: &jobFile{UID: spec.UID, Tasks: tasks, Array: spec.Array, Rerunable: spec.Rerunable}}, false)
	}
	if err == nil {
		err = add(path, 0, jobLine{Attempt: &attempt{N: spec.Attempt}}, false)
	}
	if err != nil {
		return fmt.Errorf("cannot write the journal of jobs: %w", err)
	}
	return nil
}

// submitted writes down, durably, the id that the scheduler gave.
func (j *Journal) submitted(token string, n int, id string) error {
	err := add(j.jobPath(token), 0, jobLine{Attempt: &attempt{N: n, ID: id}}, true)
	if err == nil {
		err = syncDir(j.shard(token))
	}
	if err != nil {
		return fmt.Errorf("cannot write the journal of jobs: %w", err)
	}
	return nil
}

// submittedAs tells whether an observed job was submitted under the token that it
// shows. Maybe: it is what became of a submission whose answer is not written down
// yet, and it has not started.
func (j *Journal) submittedAs(seen scheduler.Job) (sure, maybe bool, err error) {
	job, err := j.job(seen.Token)
	if errors.Is(err, errNoJob) {
		return false, false, nil
	}
	sure = slices.ContainsFunc(job.Attempts, func(a attempt) bool { return a.ID == seen.Whole() })
	return sure, job.last().ID == "" && seen.Start.IsZero(), err
}

// Bury writes down that jobs are not wanted any more: none of their runs may
// begin. Unknown tokens are no error.
func (j *Journal) Bury(tokens ...string) error {
	for _, token := range tokens {
		job, err := j.job(token)
		if errors.Is(err, errNoJob) || job.Buried {
			continue
		}
		if err == nil {
			err = add(j.jobPath(token), 0, jobLine{Buried: true}, true)
		}
		if err != nil {
			return fmt.Errorf("cannot bury a job: %w", err)
		}
	}
	return nil
}

// keepFor is how long what has ended is remembered: a scheduler that comes back
// with an older state than that is not believed in.
const keepFor = 7 * 24 * time.Hour

// Prune removes what was written down of jobs that have ended long ago.
func (j *Journal) Prune(now time.Time) error {
	jobs, err := filepath.Glob(filepath.Join(j.dir, "*", "*"))
	if err != nil {
		return err
	}
	for _, path := range jobs {
		token := filepath.Base(path)
		if path != j.jobPath(token) || !tokenPattern.MatchString(token) || !past(path, now) {
			continue
		}
		if err := j.prune(token, now); err != nil {
			return fmt.Errorf("cannot prune the journal of jobs: %w", err)
		}
	}
	return nil
}

func past(path string, now time.Time) bool {
	info, err := os.Stat(path)
	return err == nil && now.Sub(info.ModTime()) > keepFor
}

func (j *Journal) prune(token string, now time.Time) error {
	job, err := j.job(token)
	if err != nil {
		return err
	}
	runs, err := j.Runs(token)
	if err != nil {
		return err
	}
	ended := map[string]bool{}
	for _, r := range runs {
		if !past(j.runPath(token, r.Task, r.N), now) {
			return nil
		}
		ended[r.Task] = r.Over()
	}
	for _, over := range ended {
		if !over {
			return nil
		}
	}
	if len(ended) < job.Tasks && !job.Buried {
		return nil // something of it may still be to run
	}
	for _, r := range runs {
		if err := os.Remove(j.runPath(token, r.Task, r.N)); err != nil {
			return err
		}
	}
	return os.Remove(j.jobPath(token)) // last: without it nothing of the token can run
}
