package slurm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"unicode/utf8"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// errInexpressible: slurmrestd cannot be told of this job, but sbatch can.
var errInexpressible = errors.New("it cannot be said in JSON")

// restJob is a job as slurmrestd takes it (v0.0.38). It must never be sent an
// "argv": it would crash.
type restJob struct {
	Script string         `json:"script"`
	Job    map[string]any `json:"job"`
}

// restBody is the request for the job, held, by the agent that knows mark. It
// says what sbatchArgs says.
func restBody(job hpc.JobSpec, mark string) ([]byte, error) {
	array, err := arrayOption(job)
	if err != nil {
		return nil, err
	}
	variables, err := jobVariables(job)
	if err != nil {
		return nil, err
	}
	environment := map[string]string{}
	texts := []string{job.Script, job.Name, job.Dir, job.Stdout, job.Stderr, job.Queue}
	for _, v := range variables {
		environment[v.Name] = v.Value
		texts = append(texts, v.Value)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return nil, errInexpressible
		}
	}
	// What sbatch's own environment adds.
	if environment["SLURM_SUBMIT_HOST"], err = os.Hostname(); err != nil {
		return nil, err
	}
	environment["SLURM_PRIO_PROCESS"] = "0"
	nodes, tasks := max(job.Nodes, 1), max(job.Tasks, 1)
	fields := map[string]any{
		"hold": true, "wckey": job.Token, "environment": environment,
		// The plugin takes this away, and sets the nice value: a negative one is
		// not the account's to ask for.
		"comment": mark + " " + strconv.Itoa(-job.Priority),
		"nodes":   strconv.Itoa(nodes), "tasks": nodes * tasks, "tasks_per_node": tasks,
		"cpus_per_task": max(job.Threads, 1), "name": orDefault(job.Name, "sbatch"),
		"current_working_directory": orDefault(job.Dir, "/"),
	}
	given := func(field, value string) {
		if value != "" {
			fields[field] = value
		}
	}
	given("standard_output", job.Stdout)
	given("standard_error", job.Stderr)
	given("partition", job.Queue)
	given("memory_per_node", memoryOption(job))
	given("gres", gresOption(job))
	given("time_limit", timeOption(job))
	given("array", array)
	if job.Rerunable {
		fields["requeue"] = true
	} else {
		fields["no_requeue"] = true
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err = e.Encode(restJob{Script: job.Script, Job: fields})
	return b.Bytes(), err
}

func orDefault(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// restAnswer is what slurmrestd says of a submission.
type restAnswer struct {
	JobID  uint32 `json:"job_id"`
	Errors []struct {
		Error  string `json:"error"`
		Code   int    `json:"error_code"`
		Number int    `json:"error_number"`
	} `json:"errors"`
}

// readAnswer returns the id, or why there is none: errNotSubmitted if the
// controller certainly has no job of this request. A held job's answer tells an
// error beside its id; an id is what counts.
func readAnswer(status int, text []byte) (id string, err error) {
	var a restAnswer
	if err := json.Unmarshal(text, &a); err != nil {
		if status >= 400 && status < 500 {
			return "", fmt.Errorf("%w: slurmrestd answered with the status %d", errNotSubmitted, status)
		}
		return "", fmt.Errorf("slurmrestd answered with the status %d and %.80q", status, text)
	}
	if a.JobID != 0 {
		return strconv.FormatUint(uint64(a.JobID), 10), nil
	}
	if len(a.Errors) == 0 {
		return "", fmt.Errorf("slurmrestd answered with the status %d, no id and no error", status)
	}
	for _, e := range a.Errors {
		if !refusal(e.Code) && !refusal(e.Number) {
			return "", fmt.Errorf("%w, as far as slurmrestd can tell: %.200q", scheduler.ErrUnavailable, e.Error)
		}
	}
	return "", fmt.Errorf("%w: %.200q", errNotSubmitted, a.Errors[0].Error)
}

// refusal tells whether one of Slurm's error numbers says that a request was not
// carried out, and not just that its answer is missing.
func refusal(code int) bool {
	switch {
	case code == 1001, code == 1800: // no connection to the controller
		return true
	case code == 1007, code >= 6000 && code < 7000: // the token was not taken
		return true
	case code >= 2000 && code < 3000: // the controller's own
		return true
	}
	return code >= 9000 && code < 10000 // slurmrestd's own
}
