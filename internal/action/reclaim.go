package action

import (
	"context"
	"fmt"
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
		ids := make([]string, len(q.Instance))
		for i, inst := range q.Instance {
			ids[i] = inst.Id
		}
		nodes, err := byID.computeNodes(ctx, tx, c, "reclaim nodes", ids, reclaimable)
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

// reclaimable refuses what is not to be taken back, or is already.
func reclaimable(n *store.Node) (api.Code, string) {
	switch {
	case n.HasRole(hpc.RoleManager):
		return api.InvalidOpt, goesWithCluster
	case !n.SpotStrategy.Preemptible():
		return api.InvalidOpt, "is not preemptible; AddNodes makes one that is, with ComputeSpotStrategy"
	case n.ReclaimPhase != hpc.NotReclaimed:
		return takenBack(n)
	case n.Status == hpc.NodeUninit || !n.Wanted:
		return api.InvalidNodeStatus, fmt.Sprintf("is %s, it has no machine or is about to lose it", n.Status)
	}
	return api.Code{}, ""
}

func takenBack(n *store.Node) (api.Code, string) {
	return api.InvalidNodeStatus, "is taken back already, at " + stamp(n.Reclaim)
}
