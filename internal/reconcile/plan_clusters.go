package reconcile

import (
	"fmt"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// clusterAct is what is done to a cluster next.
type clusterAct string

const (
	prepareCluster clusterAct = "prepare" // network and volume
	moveCluster    clusterAct = "move"    // its status follows its nodes'
	dropCluster    clusterAct = "drop"    // network and volume removed, row ended
)

// clusterStep is one step of a cluster's life.
type clusterStep struct {
	Cluster *store.Cluster
	Act     clusterAct
	To      hpc.ClusterStatus // for moveCluster
	Reason  string
}

// planCluster says what to do next for a cluster; nil when it has to wait.
func planCluster(c *store.Cluster, nodes []*store.Node) *clusterStep {
	if !c.Wanted {
		if len(nodes) == 0 {
			return &clusterStep{Cluster: c, Act: dropCluster}
		}
		return nil
	}
	if c.Status == hpc.ClusterUninit {
		return &clusterStep{Cluster: c, Act: prepareCluster}
	}
	to, reason := clusterFollows(c, nodes)
	if to == c.Status {
		return nil
	}
	return &clusterStep{Cluster: c, Act: moveCluster, To: to, Reason: reason}
}

// clusterFollows derives a prepared cluster's status from its nodes: it runs
// when its managers and login nodes do and no compute node is still on its way
// for the first time.
func clusterFollows(c *store.Cluster, nodes []*store.Node) (to hpc.ClusterStatus, reason string) {
	machines, core, rest := true, true, true
	for _, n := range nodes {
		if !n.Wanted {
			continue
		}
		isCore := n.HasRole(hpc.RoleManager) || n.HasRole(hpc.RoleAccount) || n.HasRole(hpc.RoleLogin)
		if n.Status == hpc.NodeException && n.HasRole(hpc.RoleManager) {
			return hpc.ClusterException, fmt.Sprintf("manager %s: %s", n.Hostname, n.Reason)
		}
		if n.Status == hpc.NodeException && isCore && c.Status != hpc.ClusterRunning {
			return hpc.ClusterException, fmt.Sprintf("node %s: %s", n.Hostname, n.Reason)
		}
		machines = machines && n.Status != hpc.NodeUninit
		if isCore {
			core = core && n.Status == hpc.NodeRunning
		} else {
			rest = rest && (n.Status == hpc.NodeRunning || n.Status == hpc.NodeException)
		}
	}
	switch {
	case c.Status == hpc.ClusterRunning:
		return hpc.ClusterRunning, "" // a manager being made anew does not end it
	case c.Status == hpc.ClusterException && !core:
		return c.Status, c.Reason
	case c.Status == hpc.ClusterCreating && !machines:
		return c.Status, c.Reason
	case c.Status == hpc.ClusterCreating:
		return hpc.ClusterInit, ""
	case core && (rest || c.Status == hpc.ClusterException):
		return hpc.ClusterRunning, ""
	}
	return c.Status, c.Reason
}
