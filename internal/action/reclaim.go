package action

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// longestNotice is what a market gives, in seconds.
const longestNotice = 120

// ReclaimNodes has preemptible nodes taken back, as the market for them would.
func (s *Service) ReclaimNodes(ctx context.Context, q *api.ReclaimNodesRequest) (*api.ReclaimNodesResponse, error) {
	if !s.Reclaims {
		return nil, api.InvalidOpt.Errorf("cannot reclaim nodes of cluster %s: the provider of its machines takes none back", q.ClusterId)
	}
	now := time.Now()
	notice := time.Duration(deref(q.Notice, longestNotice)) * time.Second
	return change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.ReclaimNodesResponse, error) {
		c, err := s.lockCluster(ctx, tx, q.ClusterId)
		if err != nil {
			return nil, err
		}
		if err := mustRun(c, "reclaim nodes"); err != nil {
			return nil, err
		}
		nodes, err := reclaimable(ctx, tx, c, q)
		if err != nil {
			return nil, err
		}
		at, why := now.Add(notice), "ReclaimNodes asks for it"
		var names []string
		for _, n := range nodes {
			if err := tx.StepReclaim(ctx, n, hpc.ReclaimAsked, at, why); err != nil {
				return nil, err
			}
			names = append(names, n.Hostname)
		}
		line := fmt.Sprintf("reclaim accepted, with a notice of %s: %s", notice, strings.Join(names, ", "))
		return &api.ReclaimNodesResponse{ReclaimTime: stamp(at)}, tx.Log(ctx, c.ID, "ReclaimNodes", store.Info, line, now)
	})
}

// reclaimable returns the nodes that a request names, or the reason why one of
// them cannot be taken back.
func reclaimable(ctx context.Context, tx store.Tx, c *store.Cluster, q *api.ReclaimNodesRequest) ([]*store.Node, error) {
	have, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	var nodes []*store.Node
	for _, inst := range q.Instance {
		i := slices.IndexFunc(have, func(n *store.Node) bool { return n.ID == inst.Id })
		if i < 0 {
			return nil, api.ComputeNotFound.Errorf("cannot reclaim node %q: cluster %s has no such node", inst.Id, c.ID)
		}
		n := have[i]
		switch {
		case !n.HasRole(hpc.RoleCompute) || n.HasRole(hpc.RoleManager):
			return nil, api.InvalidOpt.Errorf("cannot reclaim node %s: %s is no compute node", n.ID, n.Hostname)
		case !n.SpotStrategy.Preemptible():
			return nil, api.InvalidOpt.Errorf("cannot reclaim node %s: %s is not preemptible; AddNodes makes one that is, with ComputeSpotStrategy", n.ID, n.Hostname)
		case n.ReclaimPhase != hpc.NotReclaimed:
			return nil, api.InvalidNodeStatus.Errorf("cannot reclaim node %s: %s is taken back already, at %s", n.ID, n.Hostname, stamp(n.Reclaim))
		case n.Status == hpc.NodeUninit || !n.Wanted:
			return nil, api.InvalidNodeStatus.Errorf("cannot reclaim node %s: %s is %s, it has no machine or is about to lose it", n.ID, n.Hostname, n.Status)
		case slices.Contains(nodes, n):
			return nil, api.InvalidParams.Errorf("cannot reclaim nodes: Instance names %s twice", n.ID)
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}
