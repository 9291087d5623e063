package reconcile

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ehpc/internal/store"
)

// mutes are the clusters whose scheduler does not answer, though its node is there.
type mutes struct {
	silences
	mu   sync.Mutex
	told map[string]bool // in the cluster's log
}

// noteScheduler notes whether a cluster's scheduler has answered. One that does not
// for as long as an agent may be away is told in the cluster's log, once, and that it
// answers again.
func (ctl *Control) noteScheduler(ctx context.Context, clusterID string, answered bool) {
	now := time.Now()
	since, mute := ctl.mutes.note(clusterID, answered, now)
	ctl.mutes.mu.Lock()
	defer ctl.mutes.mu.Unlock()
	tells := mute && now.Sub(since) > ctl.Limits.Silent
	if tells == ctl.mutes.told[clusterID] || mute && !tells {
		return
	}
	level, text := store.Info, "the cluster's scheduler answers again"
	if tells {
		level, text = store.Warn, fmt.Sprintf("the cluster's scheduler has not answered since %s: no job starts, and ends are not seen, until it does; its log is on the manager",
			since.UTC().Format(time.RFC3339))
	}
	err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.Log(ctx, clusterID, "Scheduler", level, text, now)
	})
	if settled(err) != nil {
		ctl.Log.Warn("cannot tell whether a scheduler answers", "cluster", clusterID, "err", err)
		return // it is told in the next pass
	}
	if !tells {
		delete(ctl.mutes.told, clusterID)
		return
	}
	if ctl.mutes.told == nil {
		ctl.mutes.told = map[string]bool{}
	}
	ctl.mutes.told[clusterID] = true
}
