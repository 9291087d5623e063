package reconcile

import (
	"context"
	"fmt"

	"ehpc/internal/hpc"
)

// UpToDate tells whether every node of the cluster that is in service and can be
// reached matches the rows, neighbours that are still being made aside.
func (ctl *Control) UpToDate(ctx context.Context, clusterID string) (bool, error) {
	tx := ctl.Store.Read()
	c, err := tx.Cluster(ctx, clusterID)
	if err != nil {
		return false, fmt.Errorf("cannot compare the nodes of cluster %s with its rows: %w", clusterID, err)
	}
	nodes, err := ctl.Store.Nodes(ctx, clusterID)
	if err != nil {
		return false, err
	}
	plans, err := nodePlans(ctx, tx, ctl.SSH, c, nodes, ctl.Budgets)
	if err != nil {
		return false, err
	}
	hashes := planHashes(plans)
	for _, n := range nodes {
		if n.Status == hpc.NodeRunning && ctl.Links.Present(n.ID) && ownPart(n.Plan) != ownPart(hashes[n.ID]) {
			return false, nil
		}
	}
	return true, nil
}
