package slurm

import (
	"context"
	"sync"

	"ehpc/internal/scheduler"
)

// client talks to the controller of this node's cluster.
type client struct {
	exec    func(context.Context, call) (out []byte, complaint string, err error)
	jobcomp string
	submits submits
	// One submission after the other: the journal decides between a job's first
	// submission and its adoption.
	submitting sync.Mutex
	requeued   requeued
}

var _ scheduler.Scheduler = (*client)(nil)

func newClient() *client {
	return &client{exec: command, jobcomp: jobcompPath, submits: submits{dir: submitDir}}
}
