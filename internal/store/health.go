package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// Health is what is known of a node's soundness.
type Health struct {
	Cause     hpc.Ailment      // of its being sick; "" while it is sound
	Reason    string           // the same in words
	Failures  []hpc.JobFailure `bun:",type:text,nullzero"` // the last jobs that speak against it, in order
	InRow     int              // how many jobs speak against it since one ran to its end, a machine was made or somebody looked
	Since     time.Time        `bun:",nullzero"` // when its machine was last made anew
	Replacing bool             // counted, and not made anew yet
	Replaced  int              // how often it was
	Resume    bool             // it is to be put back into service, whoever took it out
}

// MarkSick notes what ails a node, or with no cause that nothing does any more;
// ErrConflict when that, or its status, has changed meanwhile.
func (tx Tx) MarkSick(ctx context.Context, n *Node, cause hpc.Ailment, reason string) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) {
		q.Set("rev = rev + 1").Set("health_cause = ?", cause).Set("health_reason = ?", reason).
			Where("wanted AND status = ? AND health_cause = ? AND NOT health_replacing AND NOT health_resume", n.Status, n.Health.Cause)
	})
}

// MarkReplacing counts a sick node's replacement, which begins; ErrConflict when
// it is sick no more, or is being replaced already.
func (tx Tx) MarkReplacing(ctx context.Context, n *Node) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) {
		q.Set("rev = rev + 1").Set("health_replacing = ?", true).Set("health_replaced = health_replaced + 1").
			Where("wanted AND status = ? AND health_cause <> '' AND NOT health_replacing", hpc.NodeRunning)
	})
}

// AskResume has a node put back into service, with nothing known against it.
func (tx Tx) AskResume(ctx context.Context, n *Node) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) {
		q.Set("rev = rev + 1").
			Set("health_cause = ''").Set("health_reason = ''").Set("health_failures = NULL").Set("health_in_row = 0").
			Set("health_resume = ?", true).Set("idle = 0")
	})
}

// NoteResumed notes that a node was put back into service.
func (tx Tx) NoteResumed(ctx context.Context, n *Node) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) { q.Set("rev = rev + 1").Set("health_resume = ?", false) })
}

// NoteFailures writes a node's failed jobs.
func (tx Tx) NoteFailures(ctx context.Context, n *Node) error {
	seq, err := tx.next(ctx, n.ClusterID, nodeKind, 0)
	if err != nil {
		return err
	}
	n.Seq = seq
	return one(tx.db.NewUpdate().Model(n).Column("health_failures", "health_in_row", "seq").WherePK().Exec(ctx))
}

// NodesNamed returns those of a cluster's nodes that have these hostnames.
func (tx Tx) NodesNamed(ctx context.Context, clusterID string, hosts []string) ([]*Node, error) {
	var rows []*Node
	if len(hosts) == 0 {
		return nil, nil
	}
	err := tx.db.NewSelect().Model(&rows).Where("cluster_id = ? AND hostname IN (?)", clusterID, bun.List(hosts)).Scan(ctx)
	return rows, err
}

// NoteReplaced writes when a queue's nodes were replaced, and whether that has
// come to a halt.
func (tx Tx) NoteReplaced(ctx context.Context, q *Queue) error {
	return one(tx.db.NewUpdate().Model(q).Column("replaced", "halted").WherePK().Exec(ctx))
}
