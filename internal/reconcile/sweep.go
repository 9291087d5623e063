package reconcile

import (
	"context"
	"errors"
	"time"

	"ehpc/internal/store"
)

// passSweep removes what no row wants: machines and clusters of the provider
// that a restored store no longer knows, and old idempotency tokens. The world
// is observed before the rows, since a row is always there first.
func (ctl *Control) passSweep(ctx context.Context) error {
	machines, err := ctl.Provider.List(ctx)
	if err != nil {
		return err
	}
	made, err := ctl.Provider.Clusters(ctx)
	if err != nil {
		return err
	}
	nodes, err := ctl.Store.Read().Nodes(ctx, "")
	if err != nil {
		return err
	}
	clusters, _, err := ctl.Store.Read().Clusters(ctx, "", store.Page{})
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, n := range nodes {
		known[n.ID] = true
	}
	for _, c := range clusters {
		known[c.ID] = true
	}
	for _, m := range machines {
		if !known[m.ID] {
			err = errors.Join(err, ctl.sweepAway(ctx, "machine", m.ID, ctl.Provider.Destroy))
		}
	}
	for _, id := range made {
		if !known[id] {
			err = errors.Join(err, ctl.sweepAway(ctx, "cluster", id, ctl.Provider.DeleteCluster))
		}
	}
	return errors.Join(err, ctl.Store.Change(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.ExpireClientTokens(ctx, time.Now().Add(-store.TokenLife))
	}))
}

// sweepJobs deletes the jobs of clusters that are gone.
func (ctl *Control) sweepJobs(ctx context.Context) error {
	deleted, err := ctl.inBatches(ctx, func() (n int, err error) {
		err = ctl.Store.Change(ctx, func(ctx context.Context, tx store.Tx) error {
			n, err = tx.DeleteJobsOfGone(ctx, pastBatch)
			return err
		})
		return n, err
	})
	if deleted > 0 {
		ctl.Log.Info("jobs of deleted clusters deleted", "jobs", deleted)
	}
	return err
}

var errKept = errors.New("kept")

func (ctl *Control) sweepAway(ctx context.Context, kind, id string, remove func(context.Context, string) error) error {
	if ctl.steps.has(id) {
		return nil
	}
	if ctl.Keep {
		if ctl.said.news("sweep "+id, errKept) {
			ctl.Log.Warn("keeping what no row wants, since the store was restored", "kind", kind, "id", id)
		}
		return nil
	}
	ctl.Log.Warn("removing what no row wants", "kind", kind, "id", id)
	return remove(ctx, id)
}
