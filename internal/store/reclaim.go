package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// StepReclaim moves how far the taking back of a node's machine is; ErrConflict
// when it is elsewhere meanwhile. What the node waited for before, it does not
// wait for any more.
func (tx Tx) StepReclaim(ctx context.Context, n *Node, to hpc.ReclaimPhase, at time.Time, why string) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) {
		q.Set("rev = rev + 1").Set("reclaim = ?", at).Set("reclaim_phase = ?", to).Set("reclaim_reason = ?", why).
			Set("attempts = 0").Set("retry_at = NULL").
			Where("reclaim_phase = ?", n.ReclaimPhase)
	})
}

// NoteWaiting writes what a node waits for; ErrConflict when it has another
// status or reason meanwhile.
func (tx Tx) NoteWaiting(ctx context.Context, n *Node, reason string) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) {
		q.Set("rev = rev + 1").Set("reason = ?", reason).Where("status = ? AND reason = ?", n.Status, n.Reason)
	})
}
