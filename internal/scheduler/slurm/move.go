package slurm

import (
	"context"
	"fmt"
	"regexp"

	"ehpc/internal/scheduler"
)

var validFeature = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)

// Move implements scheduler.Scheduler. A node's features name its queue. Slurm
// keeps those that a node was registered with, whatever its daemon says later, and
// draws a partition anew when it is told the partition's nodes, which are those
// with the feature. Jobs do not notice either.
func (c *client) Move(ctx context.Context, name, queue string) error {
	failure := fmt.Errorf("cannot move node %.80q to queue %.80q: %w", name, queue, scheduler.ErrNotFound)
	if !validNode.MatchString(name) {
		return failure
	}
	if !validFeature.MatchString(queue) {
		return fmt.Errorf("cannot move node %s: %w: %.80q is no queue", name, scheduler.ErrRejected, queue)
	}
	node, known, err := c.node(ctx, name)
	if err == nil && !known {
		return failure
	}
	steps := [][]string{{"nodename=" + name, "availablefeatures=" + queue, "activefeatures=" + queue}, {"partitionname=" + queue, "nodes=" + queue}}
	if before := node.Queue; before != queue && validFeature.MatchString(before) {
		steps = append(steps, []string{"partitionname=" + before, "nodes=" + before})
	}
	for _, step := range steps {
		if err == nil {
			_, err = c.run(ctx, call{argv: append([]string{"scontrol", "update"}, step...)})
		}
	}
	if err != nil {
		return fmt.Errorf("cannot move node %s to queue %s: %w", name, queue, err)
	}
	return nil
}
