package action

import (
	"context"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// tellHalts adds to what ails nodes that nobody is going to replace them.
func (s *Service) tellHalts(ctx context.Context, c *store.Cluster, nodes []*store.Node) error {
	if !slices.ContainsFunc(nodes, func(n *store.Node) bool { return n.Health.Cause != "" }) {
		return nil
	}
	queues, err := s.Store.Read().Queues(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if n.Health.Cause != "" && slices.ContainsFunc(queues, func(q *store.Queue) bool { return q.Name == n.Queue && !q.Halted.IsZero() }) {
			n.Health.Reason += "; its queue replaces no more nodes, see ehpc node resume"
		}
	}
	return nil
}

// lockReason is why a node takes no jobs: what ails it, or what keeps it from
// being in service.
func lockReason(n *store.Node) string {
	if n.Status != hpc.NodeRunning && n.Wanted && n.Reason != "" { // a step that failed and is tried again, too
		return n.Reason
	}
	if !n.Wanted && !n.Force && n.CoresUsed > 0 {
		return "it goes once its jobs have ended" + latest(n.DrainUntil)
	}
	return n.Health.Reason
}

func latest(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", and at " + at.UTC().Format("15:04:05 UTC on 2 January") + " at the latest"
}
