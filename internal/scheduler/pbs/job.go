package pbs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// printed is a job as qstat prints it. Its variables are left out: the server
// prints their values as what they look like, which cannot be undone.
type printed struct {
	Name       string `json:"Job_Name"`
	Owner      string `json:"Job_Owner"` // user@host
	State      string `json:"job_state"`
	Substate   int    `json:"substate"`
	Queue      string `json:"queue"`
	ExitStatus *int   `json:"Exit_status"`
	ExecHost   string `json:"exec_host"`
	Runs       int    `json:"run_count"`
	Comment    string `json:"comment"`
	Project    string `json:"project"`
	Dir        string `json:"jobdir"`
	Priority   int    `json:"Priority"`
	Join       string `json:"Join_Path"`
	Output     string `json:"Output_Path"` // host:path
	Error      string `json:"Error_Path"`
	Created    string `json:"ctime"`
	Modified   string `json:"mtime"`
	Started    string `json:"stime"`
	Obituary   string `json:"obittime"`
	History    int64  `json:"history_timestamp"`
	ArrayCount string `json:"array_state_count"`
	Resources  struct {
		Cores number `json:"ncpus"`
	} `json:"Resource_List"`
}

// ParseJobs reads the jobs that qstat shows: those that are queued, and those
// that have ended, in the order of their ends. An array itself is queued only
// while some of it waits, and its waiting tasks are part of it. Owners are told
// by name: uid looks them up.
func ParseJobs(out []byte, uid func(name string) int) (queue, ends []scheduler.Job, err error) {
	var answer struct{ Jobs map[string]printed }
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, nil, fmt.Errorf("cannot read the jobs of qstat: %w", err)
	}
	for name, p := range answer.Jobs {
		id, err := parseID(name)
		if err == nil && !p.told(id) {
			continue
		}
		var job scheduler.Job
		if err == nil {
			job, err = p.job(id)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read qstat's job %.80q: %w", name, err)
		}
		owner, _, _ := strings.Cut(p.Owner, "@")
		job.UID = uid(owner)
		if job.State.Ended() {
			ends = append(ends, job)
		} else {
			queue = append(queue, job)
		}
	}
	slices.SortFunc(queue, byID)
	slices.SortFunc(ends, func(a, b scheduler.Job) int { return cmp.Or(a.End.Compare(b.End), byID(a, b)) })
	return queue, ends, nil
}

// byID orders by the numbers in the ids.
func byID(a, b scheduler.Job) int {
	number := func(id string) (int64, int64) {
		job, task, _ := strings.Cut(id, "_")
		j, _ := strconv.ParseInt(job, 10, 64)    // ids were read by parseID
		t, err := strconv.ParseInt(task, 10, 64) // none is before the first
		if err != nil {
			t = -1
		}
		return j, t
	}
	ja, ta := number(a.ID)
	jb, tb := number(b.ID)
	return cmp.Or(cmp.Compare(ja, jb), cmp.Compare(ta, tb))
}

// told tells whether the job is one of scheduler.Job's: not an array of which
// nothing waits any more, and not a task that still waits.
func (p printed) told(id jobID) bool {
	switch {
	case id.isArray && p.State == "B":
		return !strings.Contains(p.ArrayCount+" ", "Queued:0 ")
	case id.isArray:
		return p.State != "F" && p.State != "X" && p.State != "E"
	case id.task != "":
		return p.State != "Q" && p.State != "H" && p.State != "W"
	}
	return true
}

func (p printed) job(id jobID) (scheduler.Job, error) {
	job := scheduler.Job{
		Name: p.Name, Queue: p.Queue, Reason: strings.TrimSpace(p.Comment), Dir: p.Dir,
		Cores: int(p.Resources.Cores), Priority: p.Priority, Token: token(p.Project),
	}
	job.ID, job.Array, job.Task = id.names()
	job.Stdout, job.Stderr = p.outputs(id)
	var err error
	if job.State, err = p.state(); err != nil {
		return job, err
	}
	if job.Submit, err = clock(p.Created); err != nil {
		return job, err
	}
	job.Held = p.State == "H" && p.Substate == substateHeld
	job.Restarts = p.restarts(job.State)
	if job.State == hpc.JobPending {
		return job, nil // what else there is comes from a run that was lost, or from the array
	}
	if job.Nodes, err = hosts(p.ExecHost); err != nil {
		return job, err
	}
	if job.Nodes != nil {
		if job.Start, err = clock(p.Started); err != nil {
			return job, err
		}
	}
	if job.State.Ended() {
		job.ExitCode = p.exitCode()
		job.End, err = p.end()
	}
	return job, err
}

// tokenPrefix is how a token of ours begins. It is the job's project, which
// stays a string whatever it looks like; a job that was submitted in another
// does not inherit it, as it would a variable.
const tokenPrefix = "ehpc"

func token(project string) string {
	if strings.HasPrefix(project, tokenPrefix) {
		return project
	}
	return ""
}

// restarts is how often the job went back to the queue.
func (p printed) restarts(state hpc.JobState) int {
	if state == hpc.JobPending {
		return max(p.Runs, 0)
	}
	return max(p.Runs-1, 0)
}

// end is when the job ended; one that never ran has no obituary.
func (p printed) end() (time.Time, error) {
	if p.Obituary == "" && p.History > 0 {
		return time.Unix(p.History, 0).UTC(), nil
	}
	return clock(cmp.Or(p.Obituary, p.Modified))
}

// outputs are the files the job writes. In a directory they are named by the
// job's id; a waiting array has a pattern.
func (p printed) outputs(id jobID) (stdout, stderr string) {
	file := func(path, suffix string) string {
		if _, after, ok := strings.Cut(path, ":"); ok {
			path = after // the host
		}
		if strings.HasSuffix(path, "/") {
			path += id.file() + suffix
		}
		return strings.ReplaceAll(path, "^array_index^", arrayIndex(id))
	}
	stdout, stderr = file(p.Output, ".OU"), file(p.Error, ".ER")
	switch p.Join {
	case "oe":
		return stdout, stdout
	case "eo":
		return stderr, stderr
	}
	return stdout, stderr
}

// file is the id as it stands in the names of files.
func (id jobID) file() string {
	if id.isArray || id.task != "" {
		return id.number + "[" + arrayIndex(id) + "]"
	}
	return id.number
}

// arrayIndex is a task's index; of a whole array it is what the scheduler's
// types have for any.
func arrayIndex(id jobID) string {
	if id.isArray {
		return "%a"
	}
	return id.task
}
