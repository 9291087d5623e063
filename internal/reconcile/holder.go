package reconcile

import (
	"context"
	"errors"
	"time"

	"ehpc/internal/store"
)

// Holder tells whether this server runs a cluster, and otherwise the lease under
// which another one does, or did last; nil when none has run it yet.
func (ctl *Control) Holder(ctx context.Context, clusterID string) (here bool, lease *store.Lease, err error) {
	if _, held := ctl.leases.get(clusterID, time.Now()); held {
		return true, nil, nil
	}
	c, err := ctl.Store.Read().Cluster(ctx, clusterID)
	if err != nil {
		return false, nil, err
	}
	if c.Home != "" && c.Home == ctl.Home {
		return true, nil, nil // nobody else can take the lease
	}
	lease, err = ctl.Store.Read().Lease(ctx, clusterID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	return lease.Server == ctl.Server, lease, nil
}
