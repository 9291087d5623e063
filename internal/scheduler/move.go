package scheduler

import "context"

// moveQuestion is what Move asks for.
type moveQuestion struct{ Node, Queue string }

func (r remote) Move(ctx context.Context, node, queue string) error {
	return r.call(ctx, "move", moveQuestion{node, queue}, nil)
}
