package slurm

import (
	"errors"
	"fmt"
	"strconv"
)

// Started reads from a batch script's environment which job it is of: its id as
// the submission was answered, its index within an array, and how often the job
// was put back into the queue.
func Started(env func(string) string) (id, task string, restarts int, err error) {
	if id, task = env("SLURM_JOB_ID"), env("SLURM_ARRAY_TASK_ID"); task != "" {
		id = env("SLURM_ARRAY_JOB_ID")
	}
	if id == "" {
		return "", "", 0, errors.New("a job id is missing in the environment")
	}
	if text := env("SLURM_RESTART_COUNT"); text != "" {
		if restarts, err = strconv.Atoi(text); err != nil {
			return "", "", 0, fmt.Errorf("SLURM_RESTART_COUNT is %q", text)
		}
	}
	return id, task, restarts, nil
}
