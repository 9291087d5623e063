package fence

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// runLine is a line of a run's file; the set fields count.
type runLine struct {
	Run    *hpc.Run `json:",omitempty"`
	End    *end     `json:",omitempty"`
	Killed string   `json:",omitempty"` // why it died without an end
	Stands bool     `json:",omitempty"`
	Cut    string   `json:",omitempty"` // why its job is put back into the queue while it goes on
	Gone   bool     `json:",omitempty"` // the process that stood for it ended long after it had told the end
	At     time.Time
}

// end is how the job's script ended. Told: a SIGTERM came before.
type end struct {
	Code, Signal int
	Told         bool `json:",omitempty"`
}

// The signals with which schedulers end what they gave up. A script that died by
// one has not come to its end, whoever sent it.
const (
	sigKill = 9
	sigTerm = 15
)

// killed is the exit status of what was killed.
const killed = 128 + sigKill

// runLimit is how much of a run's file is read, in bytes: far more than is ever
// written. The root of any node can write into it what it likes.
const runLimit = 8 << 10

// run reads the nth run of a task.
func (j *Journal) run(token, task string, n int) (hpc.Run, error) {
	text, written, err := readRun(j.runPath(token, task, n))
	if err != nil {
		return hpc.Run{}, err
	}
	var r hpc.Run
	var cut, gone runLine
	known, told := false, false
	each(text, func(line runLine) {
		switch {
		case line.Run != nil:
			if !known {
				r, known = *line.Run, true
			}
		case line.Gone:
			gone = line
		case line.Cut != "":
			if cut.Cut == "" {
				cut = line
			}
		case line.Stands:
			r.Stands = true
		case r.Over(): // the first word on it counts
		case line.End != nil:
			r.Ended, r.ExitCode, told = line.At, line.End.Code&0xff, line.End.Told
			if line.End.Signal > 0 {
				r.ExitCode = min(128+line.End.Signal, 255)
			}
			if line.End.Signal == sigKill || line.End.Signal == sigTerm {
				r.Killed = "signal " + strconv.Itoa(line.End.Signal)
			}
		case line.Killed != "":
			r.Ended, r.ExitCode, r.Killed = line.At, killed, line.Killed
		}
	})
	if !r.Over() && len(text) > runLimit {
		r.Ended, r.ExitCode, r.Killed = written, killed, "its record was spoiled"
	}
	if r.Over() {
		r.Ended = between(r.Began, r.Ended, written)
	}
	if cut.Cut != "" && r.Over() {
		cutOff(&r, cut, told)
	}
	if r.Over() && gone.At.After(r.Ended) {
		r.Ended = between(r.Began, gone.At, written)
	}
	for _, fact := range []*string{&r.ID, &r.Own, &r.Host, &r.Boot, &r.Killed} {
		*fact = plain(*fact)
	}
	r.Token, r.Task, r.N = token, task, n
	return r, nil
}

// between is an end's time, or the nearest that can be: no run ends before it began,
// and none after its file was last written to.
func between(began, ended, written time.Time) time.Time {
	if ended.After(written.Add(time.Minute)) {
		ended = written
	}
	if ended.Before(began) {
		return began
	}
	return ended
}

// cutOff is for a run whose job was to be put back into the queue. What came to
// its end by itself stands, were it in the same moment; what was told to stop did
// not, however it ended then.
func cutOff(r *hpc.Run, cut runLine, told bool) {
	if r.Killed == "" && (!told || r.Ended.Before(cut.At)) {
		r.Stands = true
		return
	}
	r.Killed = cut.Cut
}

// factLimit is more than any fact that is written down of a run, in bytes. With
// more the server would take nothing that the agent tells.
const factLimit = 120

func plain(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), factLimit)], "")
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return '?'
		}
		return c
	}, text)
}

// readRun reads a run's file, no more than a byte beyond the limit of it, and
// tells when it was last written to.
func readRun(path string) (text []byte, written time.Time, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, written, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, written, err
	}
	text, err = io.ReadAll(io.LimitReader(f, runLimit+1))
	return text, info.ModTime(), err
}

// latest is the last run of a task; there is none before the first.
func (j *Journal) latest(token, task string) (r hpc.Run, there bool, err error) {
	for n := 1; ; n++ {
		next, err := j.run(token, task, n)
		if errors.Is(err, fs.ErrNotExist) {
			return r, n > 1, nil
		}
		if err != nil {
			return r, false, fmt.Errorf("cannot read the journal of runs: %w", err)
		}
		r = next
	}
}

// Runs returns all runs of a job, in order for each task.
func (j *Journal) Runs(token string) ([]hpc.Run, error) {
	if !tokenPattern.MatchString(token) {
		return nil, nil
	}
	entries, err := os.ReadDir(j.shard(token))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the journal of runs: %w", err)
	}
	var runs []hpc.Run
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), token+".") {
			continue
		}
		of, task, n, ok := runName(e.Name())
		if !ok || of != token {
			continue
		}
		r, err := j.run(token, task, n)
		if err != nil {
			return nil, fmt.Errorf("cannot read the journal of runs: %w", err)
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b hpc.Run) int { return a.N - b.N })
	return runs, nil
}

// NoteEnd writes down that a run came to its end with an exit status.
func (j *Journal) NoteEnd(r hpc.Run, code int, now time.Time) error {
	return j.noteEnd(r, end{Code: code}, now)
}

// noteEnd writes down how a run ended; one that is over stays as it is.
func (j *Journal) noteEnd(r hpc.Run, how end, now time.Time) error {
	if err := j.settle(r, runLine{End: &how, At: now.UTC()}); err != nil {
		return fmt.Errorf("cannot write down the end of a run: %w", err)
	}
	return nil
}

// NoteDeath writes down that a run died without an end; one that is over stays
// as it is.
func (j *Journal) NoteDeath(r hpc.Run, why string, now time.Time) error {
	if err := j.settle(r, runLine{Killed: why, At: now.UTC()}); err != nil {
		return fmt.Errorf("cannot write down the death of a run: %w", err)
	}
	return nil
}

// settle writes the last word on a run that is not over.
func (j *Journal) settle(r hpc.Run, word runLine) error {
	have, err := j.run(r.Token, r.Task, r.N)
	if err != nil || have.Over() {
		return err
	}
	return add(j.runPath(r.Token, r.Task, r.N), 0, word, true)
}

// lingering is how long a process may go on that has told the end of its run.
const lingering = time.Second

// noteGone writes down when the process ended that stood for a run, if it went on
// after its run: for so long its job had its nodes.
func (j *Journal) noteGone(r hpc.Run, now time.Time) error {
	have, err := j.run(r.Token, r.Task, r.N)
	if err == nil && have.Over() && now.Sub(have.Ended) > lingering {
		err = add(j.runPath(r.Token, r.Task, r.N), 0, runLine{Gone: true, At: now.UTC()}, true)
	}
	if err != nil {
		return fmt.Errorf("cannot write down when the process of a run ended: %w", err)
	}
	return nil
}

// noteCut writes down that a job is put back into the queue, if it may run again,
// with the run of its present start.
func (j *Journal) noteCut(of scheduler.Job, why string, now time.Time) error {
	job, err := j.job(of.Token)
	if errors.Is(err, errNoJob) || err == nil && !job.Rerunable {
		return nil
	}
	if err != nil {
		return err
	}
	r, there, err := j.latest(of.Token, of.Task)
	if err != nil || !there || r.ID != of.Whole() || r.Restarts != of.Restarts || r.Killed != "" || r.Stands {
		return err
	}
	err = add(j.runPath(of.Token, of.Task, r.N), 0, runLine{Cut: why, At: now.UTC()}, true)
	if err != nil {
		return fmt.Errorf("cannot write down that a run is cut off: %w", err)
	}
	return nil
}

// noteNodeDeath settles the last run of a task whose node died: what has ended
// stands, what has not is dead.
func (j *Journal) noteNodeDeath(of scheduler.Job, host, why string, now time.Time) error {
	r, there, err := j.latest(of.Token, of.Task)
	if err != nil || !there || r.Host != host {
		return err
	}
	if !r.Over() {
		return j.NoteDeath(r, why, now)
	}
	if r.Killed != "" || r.Stands {
		return nil
	}
	return add(j.runPath(of.Token, of.Task, r.N), 0, runLine{Stands: true, At: now.UTC()}, true)
}

// Highest is the highest number among the scheduler's ids of runs that began
// after since; 0 when there is none.
func (j *Journal) Highest(since time.Time) (uint64, error) {
	shards, err := os.ReadDir(j.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read the journal of runs: %w", err)
	}
	var highest uint64
	for _, shard := range shards {
		entries, err := os.ReadDir(j.dir + "/" + shard.Name())
		if err != nil {
			return 0, fmt.Errorf("cannot read the journal of runs: %w", err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err != nil || info.ModTime().Before(since) {
				continue
			}
			highest = max(highest, j.highestIn(e.Name()))
		}
	}
	return highest, nil
}

// highestIn is the highest id that one file tells of.
func (j *Journal) highestIn(name string) (highest uint64) {
	number := func(id string) {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			highest = max(highest, n)
		}
	}
	if token, task, n, ok := runName(name); ok {
		if r, err := j.run(token, task, n); err == nil {
			number(r.Own)
		}
		return highest
	}
	if job, err := j.job(name); err == nil {
		for _, a := range job.Attempts {
			number(a.ID)
		}
	}
	return highest
}
