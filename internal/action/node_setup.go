package action

import (
	"context"
	"slices"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// setUp tells what nodes wait for that are not in service yet.
type setUp struct {
	present func(nodeID string) bool // whether its agent is connected
	manager *store.Node
	scripts bool // the cluster has post-install scripts
	runs    map[string]store.ScriptRun
}

// setUp observes how the set-up of a cluster's nodes stands, if any is at it.
func (s *Service) setUp(ctx context.Context, c *store.Cluster, nodes []*store.Node) (setUp, error) {
	u := setUp{present: s.Links.Present, scripts: len(c.Asked.PostInstallScript) > 0}
	if !slices.ContainsFunc(nodes, func(n *store.Node) bool { return n.Status == hpc.NodeInit }) {
		return u, nil
	}
	all, err := s.Store.Nodes(ctx, c.ID)
	if err != nil {
		return u, err
	}
	if i := slices.IndexFunc(all, func(n *store.Node) bool { return n.HasRole(hpc.RoleManager) }); i >= 0 {
		u.manager = all[i]
	}
	if u.scripts {
		u.runs, err = s.Store.Read().ScriptRuns(ctx, c.ID)
	}
	return u, err
}

// waitsFor is what a node waits for, "" once it is in service or on its way out.
func (u setUp) waitsFor(n *store.Node) string {
	switch {
	case !n.Wanted:
		return ""
	case n.Status == hpc.NodeUninit:
		return "machine"
	case n.Status == hpc.NodeReady:
		return "scheduler"
	case n.Status != hpc.NodeInit:
		return ""
	case !u.present(n.ID):
		return "agent"
	}
	if u.scripts {
		if run, begun := u.runs[n.ScriptsCommand()]; !begun || run.Status != hpc.CommandFinished || run.ExitCode != 0 {
			return "scripts"
		}
	}
	if m := u.manager; m != nil && m.ID != n.ID && n.HasRole(hpc.RoleCompute) && m.Status != hpc.NodeReady && m.Status != hpc.NodeRunning {
		return "manager"
	}
	return "services"
}
