package action

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// taskPattern is a task of an array as schedulers write it: 7_3, or 7[3] with
// what may follow a job's number.
var taskPattern = regexp.MustCompile(`^([0-9]+)(?:_([0-9]{1,9})|\[([0-9]{1,9})\])((?:\.[A-Za-z0-9.-]+)?)$`)

// jobOrTask finds a job by its id, or an array and the index of one of its tasks.
func (s *Service) jobOrTask(ctx context.Context, tx store.Tx, clusterID, id, attempt string) (j *store.Job, task string, err error) {
	m := taskPattern.FindStringSubmatch(id)
	if m == nil {
		j, err = s.job(ctx, tx, clusterID, id)
		return j, "", err
	}
	if j, err = s.job(ctx, tx, clusterID, m[1]+m[4]); err != nil {
		return nil, "", err
	}
	n, _ := strconv.Atoi(m[2] + m[3]) // at most nine digits
	switch r, bad := hpc.ParseArray(j.Spec.Array); {
	case bad == nil && !r.Has(n):
		return nil, "", api.ObjectNotFound.Errorf("cannot %s: JobId: the array %s has the tasks %s, and no task %d", attempt, j.PublicID, j.Spec.Array, n)
	case bad != nil && !isArray(j):
		return nil, "", api.ObjectNotFound.Errorf("cannot %s: JobId: job %s is no array and has no task %d", attempt, j.PublicID, n)
	}
	return j, strconv.Itoa(n), nil
}

// isArray tells whether a job has tasks. Of one that was submitted on a node
// only the names of its files tell.
func isArray(j *store.Job) bool { return j.Spec.Array != "" || taskIndex.MatchString(j.Stdout) }

// firstTask is the index of an array's first task; of one that was submitted on
// a node it is a guess.
func firstTask(j *store.Job) int {
	if r, err := hpc.ParseArray(j.Spec.Array); err == nil {
		return r.First
	}
	return 1
}

var taskIndex = regexp.MustCompile(`%[0-9]*a`)

// taskOutput is the file of one task: the array's pattern, filled in.
func taskOutput(j *store.Job, pattern, task string) (string, error) {
	n, err := strconv.Atoi(task)
	if err != nil {
		return "", err
	}
	path := strings.ReplaceAll(pattern, "%A", orElse(j.SchedID, j.PublicID))
	path = taskIndex.ReplaceAllStringFunc(path, func(field string) string {
		width, _ := strconv.Atoi(field[1 : len(field)-1]) // "" is none
		return fmt.Sprintf("%0*d", min(width, 10), n)     // as Slurm has it
	})
	if strings.Contains(path, "%") {
		return "", fmt.Errorf("the tasks' files go by %s, which only the scheduler can fill in; with %%A and %%a in StdoutRedirectPath they can be found", pattern)
	}
	return path, nil
}

func taskOutputs(j *store.Job, task string) (stdout, stderr string, err error) {
	if stdout, err = taskOutput(j, j.Stdout, task); err == nil {
		stderr, err = taskOutput(j, j.Stderr, task)
	}
	return stdout, stderr, err
}
