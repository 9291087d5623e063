package reconcile

import (
	"math/rand/v2"
	"slices"
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// TestPlanClusterTakesLegalStepsAndSettles moves nodes at random and holds the
// cluster's status to the table of legal steps, and to rest when they rest.
func TestPlanClusterTakesLegalStepsAndSettles(t *testing.T) {
	t.Parallel()
	states := []hpc.NodeStatus{hpc.NodeUninit, hpc.NodeInit, hpc.NodeReady, hpc.NodeRunning, hpc.NodeException}
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 3))
		c := &store.Cluster{ID: "c", Status: hpc.ClusterUninit, Wanted: true}
		var nodes []*store.Node
		for _, r := range []hpc.Role{hpc.RoleManager, hpc.RoleAccount, hpc.RoleLogin, hpc.RoleCompute, hpc.RoleCompute} {
			nodes = append(nodes, &store.Node{Roles: []hpc.Role{r}, Wanted: true, Status: hpc.NodeUninit})
		}
		step := func() bool {
			s := planCluster(c, nodes)
			if s == nil {
				return false
			}
			to := s.To
			if s.Act == prepareCluster {
				to = hpc.ClusterCreating
			}
			if !slices.Contains(hpc.ClusterSteps[c.Status], to) {
				t.Fatalf("seed %d: illegal step from %s to %s", seed, c.Status, to)
			}
			if to == hpc.ClusterException && s.Reason == "" {
				t.Fatalf("seed %d: exception without a reason", seed)
			}
			c.Status, c.Reason = to, s.Reason
			return true
		}
		for range 40 {
			nodes[rng.IntN(len(nodes))].Status = states[rng.IntN(len(states))]
			step()
		}
		for range 4 {
			if !step() {
				break
			}
		}
		if step() {
			t.Fatalf("seed %d: a cluster at rest goes on moving from %s", seed, c.Status)
		}
		for _, n := range nodes {
			n.Status = hpc.NodeRunning
		}
		for step() {
		}
		if c.Status != hpc.ClusterRunning {
			t.Fatalf("seed %d: all nodes run, the cluster is %s", seed, c.Status)
		}
	}
}

func TestPlanCluster(t *testing.T) {
	t.Parallel()
	node := func(r hpc.Role, s hpc.NodeStatus) *store.Node {
		return &store.Node{Hostname: "h", Roles: []hpc.Role{r}, Status: s, Wanted: true, Reason: "why"}
	}
	status := func(from hpc.ClusterStatus, nodes ...*store.Node) hpc.ClusterStatus {
		c := &store.Cluster{Status: from, Wanted: true}
		if s := planCluster(c, nodes); s != nil {
			return s.To
		}
		return from
	}
	t.Run("a running cluster goes on while its manager is made anew", func(t *testing.T) {
		if got := status(hpc.ClusterRunning, node(hpc.RoleManager, hpc.NodeUninit)); got != hpc.ClusterRunning {
			t.Errorf("it is %s", got)
		}
	})
	t.Run("a manager that cannot be made ends it in exception", func(t *testing.T) {
		if got := status(hpc.ClusterRunning, node(hpc.RoleManager, hpc.NodeException)); got != hpc.ClusterException {
			t.Errorf("it is %s", got)
		}
	})
	t.Run("a compute node that cannot be made does not keep it from running", func(t *testing.T) {
		if got := status(hpc.ClusterInit, node(hpc.RoleManager, hpc.NodeRunning), node(hpc.RoleCompute, hpc.NodeException)); got != hpc.ClusterRunning {
			t.Errorf("it is %s", got)
		}
	})
	t.Run("it does not run before its compute nodes had their chance", func(t *testing.T) {
		if got := status(hpc.ClusterInit, node(hpc.RoleManager, hpc.NodeRunning), node(hpc.RoleCompute, hpc.NodeInit)); got != hpc.ClusterInit {
			t.Errorf("it is %s", got)
		}
	})
	t.Run("an unwanted cluster is dropped once its nodes are gone", func(t *testing.T) {
		c := &store.Cluster{Status: hpc.ClusterReleasing}
		if s := planCluster(c, []*store.Node{node(hpc.RoleManager, hpc.NodeReleasing)}); s != nil {
			t.Errorf("planned %v while a node is there", s.Act)
		}
		if s := planCluster(c, nil); s == nil || s.Act != dropCluster {
			t.Errorf("planned %v", s)
		}
	})
}
