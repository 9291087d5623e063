package slurm

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// ending is a line of the completion log.
type ending struct {
	scheduler.Job
	jobID   string // Slurm's own, also of an array's task
	requeue bool   // the job went back to the queue
}

// recordLimit is where Slurm cuts a record off, with the end of its line, in
// bytes: the next job's record follows on the same line.
const recordLimit = 1023

// readEndings reads the whole records of the log from offset on, until each says
// that it has enough, and returns the offset behind the last one. A log shorter
// than offset is another one, read from its beginning. What is no record is
// passed over.
func readEndings(path string, offset int64, each func(ending) (enough bool)) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read the completion log: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("cannot read the completion log: %w", err)
	}
	if offset > info.Size() {
		offset = 0
	}
	r := bufio.NewReaderSize(io.NewSectionReader(f, offset, info.Size()-offset), 64<<10)
	for {
		record, n, err := nextRecord(r)
		if errors.Is(err, io.EOF) {
			return offset, nil // half a record is read when it is whole
		}
		if err != nil {
			return offset, fmt.Errorf("cannot read the completion log: %w", err)
		}
		offset += int64(n)
		if e, err := parseEnding(record); err == nil && each(e) {
			return offset, nil
		}
	}
}

// nextRecord reads a record, which ends with its line or where it was cut off,
// and tells how many bytes it took.
func nextRecord(r *bufio.Reader) (record string, n int, err error) {
	ahead, err := r.Peek(recordLimit)
	if at := bytes.IndexByte(ahead, '\n'); at >= 0 {
		record, n = string(ahead[:at]), at+1
	} else if err == nil {
		record, n = string(ahead), recordLimit
	} else {
		return "", 0, err
	}
	_, err = r.Discard(n)
	return record, n, err
}

// parseEnding reads a record of the filetxt plugin. Two of its fields are free
// text, the name and the directory; the submit plugin keeps the words that end
// them out of them.
func parseEnding(line string) (ending, error) {
	var e ending
	head, rest, ok := strings.Cut(line, " Name=")
	name, rest, ok2 := strings.Cut(rest, " JobState=")
	middle, rest, ok3 := strings.Cut(rest, " WorkDir=")
	at := strings.LastIndex(rest, " ReservationName=")
	if cut := len(line) == recordLimit; cut && ok && ok2 {
		return parseCut(head, name, middle)
	}
	if !ok || !ok2 || !ok3 || at < 0 {
		return e, fmt.Errorf("%.80q is no record", line)
	}
	dir, tail := rest[:at], rest[at:]
	f := map[string]string{}
	for _, part := range []string{head, "JobState=" + middle, tail} {
		for _, field := range strings.Fields(part) {
			key, value, _ := strings.Cut(field, "=")
			f[key] = value
		}
	}
	var p fieldParser
	e = ending{jobID: f["JobId"], Job: scheduler.Job{
		Token: tokenOf(f["WcKey"]), Name: name, Queue: f["Partition"], Dir: dir,
		UID: p.number(inParentheses(f["UserId"])), Cores: p.number(f["ProcCnt"]),
		Nodes: p.hosts(f["NodeList"]), Submit: p.time(f["SubmitTime"]), End: p.time(f["EndTime"]),
	}}
	if e.jobID == "" {
		return e, fmt.Errorf("%.80q has no job id", line)
	}
	e.ID, e.Array, e.Task = jobID(e.jobID, f["ArrayJobId"], f["ArrayTaskId"])
	e.Own = e.jobID
	if e.Nodes != nil {
		e.Start = p.time(f["StartTime"]) // one that never started has its end there
	}
	e.Reason = f["JobState"]
	e.State, e.requeue = endState(&p, f["JobState"])
	e.ExitCode = exitCode(&p, e.State, f["ExitCode"])
	return e, p.err
}

// parseCut reads what a record holds that was cut off: which job ended, when and
// how, but neither its token nor its exit status, nor of which array it was.
func parseCut(head, name, middle string) (ending, error) {
	f := map[string]string{}
	fields := strings.Fields(head + " JobState=" + middle)
	for _, field := range fields[:len(fields)-1] { // the last one may be a part of itself
		key, value, _ := strings.Cut(field, "=")
		f[key] = value
	}
	var p fieldParser
	e := ending{jobID: f["JobId"], Job: scheduler.Job{ID: f["JobId"], Own: f["JobId"], Name: name, Queue: f["Partition"], Reason: f["JobState"],
		UID: p.number(inParentheses(f["UserId"])), Nodes: p.hosts(f["NodeList"]), End: p.time(f["EndTime"])}}
	if e.Nodes != nil {
		e.Start = p.time(f["StartTime"])
	}
	e.State, e.requeue = endState(&p, f["JobState"])
	if e.jobID == "" || e.End.IsZero() {
		return e, fmt.Errorf("a record of the job %.40q was cut off too early", f["JobId"])
	}
	return e, p.err
}

func inParentheses(text string) string {
	_, text, _ = strings.Cut(text, "(")
	return strings.TrimSuffix(text, ")")
}

var endStates = map[string]hpc.JobState{
	"COMPLETED":     hpc.JobCompleted,
	"FAILED":        hpc.JobFailed,
	"CANCELLED":     hpc.JobCancelled,
	"PREEMPTED":     hpc.JobCancelled,
	"TIMEOUT":       hpc.JobTimeout,
	"DEADLINE":      hpc.JobTimeout,
	"OUT_OF_MEMORY": hpc.JobOOM,
	"NODE_FAIL":     hpc.JobNodeFail,
	"BOOT_FAIL":     hpc.JobNodeFail,
}

func endState(p *fieldParser, text string) (state hpc.JobState, requeue bool) {
	switch text {
	case "PENDING", "REQUEUED":
		return hpc.JobPending, true
	}
	state, ok := endStates[text]
	if !ok {
		p.keep(fmt.Errorf("unknown state %.40q", text))
	}
	return state, false
}

// exitCode reads "code:signal". A job over its memory has a number there that is
// no signal.
func exitCode(p *fieldParser, state hpc.JobState, text string) int {
	code, signal, _ := strings.Cut(text, ":")
	c, s := p.number(code), p.number(signal)
	switch {
	case state == hpc.JobOOM:
		return 128 + 9
	case s > 0:
		return min(128+s, 255)
	}
	return c & 0xff
}

// ends returns what has ended after the cursor, as far as one answer holds it,
// given the queue as it is after the log was read up to the cursor that is
// returned. A NODE_FAIL is written for jobs that went back to the queue as well:
// these are in the queue, or have left it again with a later record.
func (c *client) ends(cursor string, queue func() ([]scheduler.Job, error)) (o scheduler.Observation, err error) {
	offset, err := parseCursor(cursor)
	if err != nil {
		return o, err
	}
	var endings []ending
	next, err := readEndings(c.jobcomp, offset, func(e ending) bool {
		endings = append(endings, e)
		return len(endings) == scheduler.EndsLimit
	})
	if err != nil {
		return o, err
	}
	if o.Queue, err = queue(); err != nil {
		return o, err
	}
	back := map[string]bool{}
	for _, job := range o.Queue {
		back[job.ID] = job.State != hpc.JobCompleting
	}
	_, err = readEndings(c.jobcomp, next, func(e ending) bool {
		back[e.ID], o.More = true, len(endings) == scheduler.EndsLimit
		return false
	})
	if err != nil {
		return o, err
	}
	for _, e := range slices.Backward(endings) {
		if !e.requeue && (e.State != hpc.JobNodeFail || !back[e.ID]) {
			o.Ends = append(o.Ends, e.Job)
		}
		back[e.ID] = true // what stands before is not the last word
	}
	slices.Reverse(o.Ends)
	if err := c.markGivenUp(o.Ends); err != nil {
		return o, err
	}
	o.Cursor = strconv.FormatInt(next, 10)
	return o, nil
}

func parseCursor(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: the cursor %.40q is not one of mine", scheduler.ErrRejected, cursor)
	}
	return n, nil
}
