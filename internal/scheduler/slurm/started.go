package slurm

import (
	"errors"
	"fmt"
	"strconv"
)

// Started reads from a batch script's environment which job it is of: its id as
// the submission was answered, its own id, its index within an array, and how
// often the job was put back into the queue.
func Started(env func(string) string) (id, own, task string, restarts int, err error) {
	own = env("SLURM_JOB_ID")
	if id, task = own, env("SLURM_ARRAY_TASK_ID"); task != "" {
		id = env("SLURM_ARRAY_JOB_ID")
	}
	if id == "" || own == "" {
		return "", "", "", 0, errors.New("a job id is missing in the environment")
	}
	if text := env("SLURM_RESTART_COUNT"); text != "" {
		if restarts, err = strconv.Atoi(text); err != nil {
			return "", "", "", 0, fmt.Errorf("SLURM_RESTART_COUNT is %q", text)
		}
	}
	return id, own, task, restarts, nil
}
