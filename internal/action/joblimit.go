package action

import (
	"context"
	"slices"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// maxOpenTasks bounds the jobs of a cluster that have not ended, each task of an
// array counted. It is half of what the controller holds (MaxJobCount in
// slurm.conf): there the ended stay for two minutes more, and jobs that people
// submit on nodes need room too. Beyond it the scheduler would refuse, and what
// it said then would depend on how much it had forgotten.
const maxOpenTasks = 100_000

// room refuses a job that its cluster has no place for, in the transaction that
// accepts it.
func room(ctx context.Context, tx store.Tx, job *store.Job) error {
	open, err := tx.OpenTasks(ctx, job.ClusterID)
	if err != nil {
		return err
	}
	if open+job.Tasks > maxOpenTasks {
		return api.AgentErrorJobSubmitFailure.Errorf("cannot submit the job: cluster %s has %d jobs and tasks of arrays that have not ended; with %d more there would be over %d", job.ClusterID, open, job.Tasks, maxOpenTasks)
	}
	if job.Queue == "" {
		return nil
	}
	queues, err := tx.Queues(ctx, job.ClusterID)
	if err == nil && !slices.ContainsFunc(queues, func(row *store.Queue) bool { return row.Name == job.Queue }) {
		err = badJob("JobQueue", "%q does not exist in this cluster", job.Queue) // it was deleted meanwhile
	}
	return err
}

// tasksOf is how many jobs of the scheduler a job is.
func tasksOf(spec hpc.JobSpec) int {
	if r, err := hpc.ParseArray(spec.Array); err == nil {
		return r.Len()
	}
	return 1
}
