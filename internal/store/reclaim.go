package store

import (
	"context"
	"time"

	"ehpc/internal/hpc"
)

// StepReclaim moves how far the taking back of a node's machine is; ErrConflict
// when it is elsewhere meanwhile. What the node waited for before, it does not
// wait for any more.
func (tx Tx) StepReclaim(ctx context.Context, n *Node, to hpc.ReclaimPhase, at time.Time, why string) error {
	return one(tx.db.NewUpdate().Model((*Node)(nil)).
		Set("rev = rev + 1").Set("reclaim = ?", at).Set("reclaim_phase = ?", to).Set("reclaim_reason = ?", why).
		Set("attempts = 0").Set("retry_at = NULL").
		Where("id = ? AND reclaim_phase = ?", n.ID, n.ReclaimPhase).Exec(ctx))
}

// NoteWaiting writes what a node waits for; ErrConflict when it has another
// status or reason meanwhile.
func (tx Tx) NoteWaiting(ctx context.Context, n *Node, reason string) error {
	return one(tx.db.NewUpdate().Model((*Node)(nil)).
		Set("rev = rev + 1").Set("reason = ?", reason).Where("id = ? AND status = ? AND reason = ?", n.ID, n.Status, n.Reason).Exec(ctx))
}
