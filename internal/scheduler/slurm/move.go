package slurm

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"ehpc/internal/scheduler"
)

var validFeature = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// Move implements scheduler.Scheduler. A node's features name its queue. Slurm
// keeps those that a node was registered with, whatever its daemon says later, and
// draws the partitions anew only when it reads its configuration; jobs do not
// notice either.
func (c *client) Move(ctx context.Context, name, queue string) error {
	failure := fmt.Errorf("cannot move node %.80q to queue %.80q: %w", name, queue, scheduler.ErrNotFound)
	if !validNode.MatchString(name) {
		return failure
	}
	if !validFeature.MatchString(queue) {
		return fmt.Errorf("cannot move node %s: %w: %.80q is no queue", name, scheduler.ErrRejected, queue)
	}
	argv := []string{"scontrol", "update", "nodename=" + name, "availablefeatures=" + queue, "activefeatures=" + queue}
	if _, err := c.run(ctx, call{argv: argv}); errors.Is(err, scheduler.ErrRejected) {
		if _, known, asked := c.node(ctx, name); asked == nil && !known {
			return failure
		}
		return fmt.Errorf("cannot move node %s to queue %s: %w", name, queue, err)
	} else if err != nil {
		return err
	}
	if _, err := c.run(ctx, call{argv: []string{"scontrol", "reconfigure"}}); err != nil {
		return fmt.Errorf("cannot move node %s to queue %s: %w", name, queue, err)
	}
	return nil
}
