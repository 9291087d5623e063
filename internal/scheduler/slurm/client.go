package slurm

import (
	"context"

	"ehpc/internal/scheduler"
)

// client talks to the controller of this node's cluster.
type client struct {
	exec     func(context.Context, call) (out []byte, complaint string, err error)
	jobcomp  string
	log      string // the directory of the controller's log
	ids      ids
	requeued requeued
	rest     *rest // nil: sbatch submits all jobs
}

var _ scheduler.Driver = (*client)(nil)

func newClient() *client {
	return &client{exec: command, jobcomp: jobcompPath, log: logDir, ids: ids{path: lastIDPath}, rest: newRest(restSocket)}
}
