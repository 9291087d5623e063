package agent

import (
	"context"

	"ehpc/internal/scheduler"
)

// Daemon is a service as it must run now.
type Daemon struct {
	scheduler.Service
	Stamp string // another one means: start it anew
}

// Supervisor is the node's init as far as daemons are concerned.
type Supervisor interface {
	// Ensure makes these and only these of our services run: it starts, replaces
	// and removes as needed, in order, and returns once all are ready, with the
	// names of those that were started anew. The error of one that is not ready
	// in time ends with the end of its log.
	Ensure(ctx context.Context, daemons []Daemon) (started []string, err error)
	// Restart starts one of our services anew.
	Restart(ctx context.Context, name string) error
	// State tells for each of our services "up", "down" or "failing".
	State(ctx context.Context) (map[string]string, error)
}
