package slurm

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// unit separates squeue's fields. The submit plugin keeps control characters
// out of what users name.
const unit = "\x1f"

var queueFields = []string{
	"JobID", "ArrayJobID", "ArrayTaskID", "WCKey", "RestartCnt", "SubmitTime", "StartTime", "State", "Reason",
	"UserID", "NodeList", "NumCPUs", "Partition", "Nice", "Name", "WorkDir", "STDOUT", "STDERR",
	"tres-alloc", "OverSubscribe", // of a job that waits, what it asks for
	"admin_comment", "batchflag",
}

// queue asks for everything that has not ended.
func (c *client) queue(ctx context.Context) ([]scheduler.Job, error) {
	format := strings.Join(queueFields, ":"+unit+",") + ":" + unit
	out, err := c.run(ctx, call{argv: []string{"squeue", "--noheader", "--all", "--Format=" + format}})
	if err != nil {
		return nil, err
	}
	return parseQueue(out)
}

func parseQueue(out []byte) ([]scheduler.Job, error) {
	var jobs []scheduler.Job
	for line := range bytes.Lines(out) {
		line := strings.TrimRight(string(line), "\n")
		if line == "" {
			continue
		}
		job, err := parseQueued(strings.Split(line, unit))
		if err != nil {
			return nil, fmt.Errorf("cannot read squeue's line %.200q: %w", line, err)
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// launchFailed is why a job waits that slurmd would not start, for one thing since
// a controller that was killed gave it out a second time. squeue shows it with
// spaces.
const launchFailed = "launch_failed_requeued_held"

// closedMark is what the submit plugin writes down of jobs that it holds.
const closedMark = "ehpc: closed"

// Indexes into queueFields.
const (
	fJob = iota
	fArray
	fTask
	fWCKey
	fRestarts
	fSubmit
	fStart
	fState
	fReason
	fUser
	fNodes
	fCPUs
	fPartition
	fNice
	fName
	fDir
	fStdout
	fStderr
	fTres
	fShare
	fAdminComment
	fBatch
	fCount
)

func parseQueued(f []string) (scheduler.Job, error) {
	if len(f) != fCount+1 { // a unit ends every field
		return scheduler.Job{}, fmt.Errorf("%d fields", len(f)-1)
	}
	var p fieldParser
	job := scheduler.Job{
		Token: tokenOf(f[fWCKey]), Reason: f[fReason], Queue: f[fPartition],
		Name: f[fName], Dir: f[fDir], Stdout: f[fStdout], Stderr: f[fStderr],
		Restarts: p.number(f[fRestarts]), UID: p.number(f[fUser]), Cores: p.number(f[fCPUs]),
		Priority: -p.number(f[fNice]), Submit: p.time(f[fSubmit]),
		State: p.state(f[fState]), Nodes: p.hosts(f[fNodes]),
	}
	job.ID, job.Array, job.Task = jobID(f[fJob], f[fArray], f[fTask])
	job.Own = f[fJob]
	if f[fBatch] == "0" { // squeue names a file that nothing is written to
		job.Stdout, job.Stderr = "", ""
	}
	if job.Array != "" {
		job.Stdout, job.Stderr = arrayOutput(job.Stdout, f[fJob], job.Array), arrayOutput(job.Stderr, f[fJob], job.Array)
	}
	job.Refused = job.State == hpc.JobPending && strings.ReplaceAll(job.Reason, " ", "_") == launchFailed
	job.Held = job.State == hpc.JobPending && strings.HasPrefix(job.Reason, "JobHeld")
	job.Closed = job.Held && f[fAdminComment] == closedMark
	if job.Reason == "None" {
		job.Reason = ""
	}
	if job.State == hpc.JobPending {
		job.Asks = p.asks(f[fTres], f[fShare])
		if job.Array != "" && job.Task == "" {
			job.Tasks, job.AtOnce = p.tasks(f[fTask])
		}
	} else {
		job.Start = p.time(f[fStart]) // before the start it is a forecast
	}
	return job, p.err
}

// tokenPrefix begins our tokens; the submit plugin keeps others from using it.
const tokenPrefix = "ehpc"

// tokenOf is the token in a job's wckey, "" for a job of others, who may have
// keys of their own. One without has "(null)".
func tokenOf(wckey string) string {
	if !strings.HasPrefix(wckey, tokenPrefix) {
		return ""
	}
	return wckey
}

// arrayOutput is the pattern of the files that an array's tasks write. squeue
// names a file that there is not when they go by their own ids.
func arrayOutput(file, id, array string) string {
	if dir, own := strings.CutSuffix(file, "/slurm-"+id+".out"); own {
		return dir + "/slurm-" + array + "_%a.out"
	}
	return file
}

// jobID names a job as scheduler.Job wants it. Slurm gives every started task of
// an array an id of its own, and the last one the array's.
func jobID(id, array, task string) (name, ofArray, index string) {
	if task == "" || task == "N/A" {
		return id, "", ""
	}
	if _, err := strconv.ParseUint(task, 10, 32); err == nil {
		return array + "_" + task, array, task
	}
	return array, array, ""
}

// fieldParser keeps the first error.
type fieldParser struct{ err error }

func (p *fieldParser) keep(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *fieldParser) number(text string) int {
	n, err := strconv.Atoi(text)
	p.keep(err)
	return n
}

const timeLayout = "2006-01-02T15:04:05"

// time is zero for Slurm's words for none.
func (p *fieldParser) time(text string) time.Time {
	switch text {
	case "", "N/A", "Unknown", "unknown", "None":
		return time.Time{}
	}
	t, err := time.ParseInLocation(timeLayout, text, time.UTC)
	p.keep(err)
	return t
}

// tasks counts an array's tasks in a list such as "1-9:2,12,15-20%3", which ends
// with how many may run at the same time. One that squeue cut short tells nothing.
func (p *fieldParser) tasks(list string) (count, atOnce int) {
	list, limit, limited := strings.Cut(list, "%")
	if limited {
		atOnce = p.number(limit)
	}
	if strings.Contains(list, "...") {
		return 0, atOnce
	}
	for part := range strings.SplitSeq(list, ",") {
		if !strings.Contains(part, "-") {
			count++
			continue
		}
		r, err := hpc.ParseArray(part)
		if p.keep(err); err != nil {
			return 0, 0
		}
		count += r.Len()
	}
	return count, atOnce
}

// asks reads a list such as "cpu=9,mem=18G,node=2,billing=9".
func (p *fieldParser) asks(tres, share string) scheduler.Ask {
	ask := scheduler.Ask{Whole: share == "NO"}
	for part := range strings.SplitSeq(tres, ",") {
		name, amount, _ := strings.Cut(part, "=")
		switch name {
		case "cpu":
			ask.Cores = p.number(amount)
		case "node":
			ask.Nodes = p.number(amount)
		case "gres/gpu":
			ask.GPUs = p.number(amount)
		case "mem":
			ask.MemoryMB = p.megabytes(amount)
		}
	}
	return ask
}

// megabytes reads an amount of memory as Slurm shows it: 100M, 1.50G.
func (p *fieldParser) megabytes(text string) int {
	units := map[byte]float64{'K': 1.0 / 1024, 'M': 1, 'G': 1024, 'T': 1024 * 1024, 'P': 1024 * 1024 * 1024}
	unit, known := 1.0, false
	if text != "" {
		unit, known = units[text[len(text)-1]]
	}
	if known {
		text = text[:len(text)-1]
	} else {
		unit = 1
	}
	n, err := strconv.ParseFloat(text, 64)
	if err == nil && !(n >= 0 && n*unit < 1<<40) {
		err = fmt.Errorf("%.20q is no amount of memory", text)
	}
	p.keep(err)
	return int(math.Ceil(n * unit))
}

func (p *fieldParser) hosts(text string) []string {
	hosts, err := expandHosts(text)
	p.keep(err)
	return hosts
}

var queuedStates = map[string]hpc.JobState{
	"PENDING":       hpc.JobPending,
	"CONFIGURING":   hpc.JobPending,
	"REQUEUED":      hpc.JobPending,
	"REQUEUE_FED":   hpc.JobPending,
	"REQUEUE_HOLD":  hpc.JobPending,
	"RESV_DEL_HOLD": hpc.JobPending,
	"SPECIAL_EXIT":  hpc.JobPending,
	"RUNNING":       hpc.JobRunning,
	"RESIZING":      hpc.JobRunning,
	"SIGNALING":     hpc.JobRunning,
	"STAGE_OUT":     hpc.JobCompleting,
	"COMPLETING":    hpc.JobCompleting,
	"SUSPENDED":     hpc.JobSuspended,
	"STOPPED":       hpc.JobSuspended,
}

func (p *fieldParser) state(text string) hpc.JobState {
	state, ok := queuedStates[text]
	if !ok {
		p.keep(fmt.Errorf("unknown state %.40q", text))
	}
	return state
}
