package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ehpc/internal/store"
)

// fence is under which lease a pass works; it travels in the pass's context.
type fence struct {
	clusterID string
	number    int64
}

type fenceKey struct{}

// hold tells whether this server runs the cluster's loops, and takes the lease
// if it is nobody's. What is written with the context is refused once another
// server has taken it.
func (ctl *Control) hold(ctx context.Context, c *store.Cluster) (context.Context, bool) {
	if c.Home != "" && c.Home != ctl.Home {
		return ctx, false // its machines are another server's
	}
	if held, ok := ctl.held(ctx, c.ID); ok {
		return held, true
	}
	if err := ctl.takeLease(ctx, c.ID); err != nil {
		if settled(err) != nil && !errors.Is(err, errInterrupted) && ctx.Err() == nil {
			ctl.Log.Error("cannot take a lease", "cluster", c.ID, "err", err)
		}
		return ctx, false
	}
	return ctl.held(ctx, c.ID)
}

// held is hold for a cluster whose lease is to be taken by another loop.
func (ctl *Control) held(ctx context.Context, clusterID string) (context.Context, bool) {
	number, ok := ctl.leases.get(clusterID, time.Now())
	return context.WithValue(ctx, fenceKey{}, fence{clusterID, number}), ok
}

func (ctl *Control) takeLease(ctx context.Context, clusterID string) error {
	ctl.leases.asking.Lock()
	defer ctl.leases.asking.Unlock()
	now := time.Now()
	if _, ok := ctl.leases.get(clusterID, now); ok { // another loop was first
		return nil
	}
	if !ctl.leases.mayAsk(clusterID, now, ctl.Limits.Lease/6) {
		return store.ErrConflict
	}
	if err := ctl.interrupted("take a lease"); err != nil {
		return err
	}
	until := now.Add(ctl.Limits.Lease)
	var row *store.Lease
	err := ctl.Store.Change(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		row, err = tx.TakeLease(ctx, &store.Lease{ClusterID: clusterID, Server: ctl.Server, Endpoint: ctl.Endpoint, Expires: until}, now)
		return err
	})
	if err != nil {
		return err
	}
	ctl.leases.put(clusterID, hold{row.Fence, until})
	ctl.Log.Info("lease taken", "cluster", clusterID, "server", ctl.Server, "fence", row.Fence)
	ctl.Wake() // the loops that passed it over
	ctl.Submitted()
	ctl.past.Wake()
	ctl.Store.Warm(ctx, clusterID)
	return nil
}

// passLeases prolongs the leases of this server.
func (ctl *Control) passLeases(ctx context.Context) error {
	if ctl.leases.size() == 0 || ctl.interrupted("renew leases") != nil {
		return nil
	}
	ctl.leases.asking.Lock()
	defer ctl.leases.asking.Unlock()
	until := time.Now().Add(ctl.Limits.Lease)
	var rows []*store.Lease
	err := ctl.Store.Change(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		rows, err = tx.RenewLeases(ctx, ctl.Server, until)
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot renew the leases: %w", err)
	}
	for _, id := range ctl.leases.renew(rows, until) {
		ctl.Log.Info("lease ended", "cluster", id)
	}
	return nil
}

// endLeases gives the leases free, so that another server need not wait.
func (ctl *Control) endLeases(ctx context.Context) {
	if ctl.leases.size() == 0 || ctl.interrupted("end leases") != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := ctl.Store.Change(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.EndLeases(ctx, ctl.Server, time.Now())
	})
	if err != nil {
		ctl.Log.Warn("cannot give the leases free; they run out by themselves", "err", err)
	}
}

// change is Store.Change for what the loops write of a cluster. The leases themselves,
// and client tokens that have run out, are of no cluster and written without it.
// It is refused once the lease that the context was made under is another's.
func (ctl *Control) change(ctx context.Context, fn func(ctx context.Context, tx store.Tx) error) error {
	under, ok := ctx.Value(fenceKey{}).(fence)
	if !ok {
		return errors.New("a loop writes without a lease")
	}
	err := ctl.Store.Change(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := tx.Fence(ctx, under.clusterID, under.number); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
	if errors.Is(err, store.ErrFenced) {
		ctl.leases.lose(under.clusterID, under.number)
		ctl.Log.Warn("write refused: the lease is another server's", "cluster", under.clusterID, "fence", under.number)
	}
	return err
}
