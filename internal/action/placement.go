package action

import (
	"cmp"
	"fmt"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// layout says which management roles share a node (spec: CreateCluster, DeployMode).
type layout struct {
	managers [][]hpc.Role // the roles of each management node, the scheduler's first
	login    bool         // login nodes stand apart
}

var layouts = map[hpc.DeployMode]layout{
	hpc.DeployStandard: {managers: [][]hpc.Role{{hpc.RoleManager}, {hpc.RoleAccount}}, login: true},
	hpc.DeploySimple:   {managers: [][]hpc.Role{{hpc.RoleAccount, hpc.RoleManager}}, login: true},
	hpc.DeployTiny:     {managers: [][]hpc.Role{{hpc.RoleAccount, hpc.RoleManager, hpc.RoleLogin}}},
	hpc.DeployOneBox:   {managers: [][]hpc.Role{{hpc.RoleAccount, hpc.RoleManager, hpc.RoleLogin, hpc.RoleCompute}}},
}

var managerNames = []string{"manager", "account"}

// firstNodes lays out the nodes of a new cluster.
func (s *Service) firstNodes(c *store.Cluster, q *api.CreateClusterRequest, now time.Time) ([]*store.Node, error) {
	lay := layouts[c.DeployMode]
	order := q.EcsOrder
	if c.DeployMode == hpc.DeployStandard && deref(order.Manager.Count, 0) == 1 {
		lay = layouts[hpc.DeploySimple] // one manager was asked for by number: the roles share it
	}
	if want := deref(order.Manager.Count, len(lay.managers)); want != len(lay.managers) {
		return nil, api.InvalidParams.Errorf("cannot create a cluster: EcsOrder.Manager.Count is %d; DeployMode %s has %d", want, c.DeployMode, len(layouts[c.DeployMode].managers))
	}
	logins := deref(order.Login.Count, 1)
	if !lay.login {
		if logins > 1 {
			return nil, api.InvalidParams.Errorf("cannot create a cluster: EcsOrder.Login.Count is %d; with DeployMode %s the manager is the only login node", logins, c.DeployMode)
		}
		logins = 0
	}
	computes := deref(order.Compute.Count, 0)
	if total := len(lay.managers) + logins + computes; total > s.Config.MaxNodes {
		return nil, api.TooManyNodes.Errorf("cannot create a cluster of %d nodes: the limit is %d", total, s.Config.MaxNodes)
	}
	queue := orElse(q.JobQueue, hpc.DefaultQueue)
	manager, err1 := s.orderedType("Manager", orElse(order.Manager.InstanceType, s.Config.ManagerType))
	login, err2 := s.orderedType("Login", orElse(order.Login.InstanceType, s.Config.LoginType))
	compute, err3 := s.orderedType("Compute", orElse(order.Compute.InstanceType, s.Config.ComputeType))
	if err := cmp.Or(err1, err2, err3); err != nil {
		return nil, err
	}
	var nodes []*store.Node
	add := func(roles []hpc.Role, t hpc.InstanceType, hostname string) {
		nodes = append(nodes, store.NewNode(c, roles, t, hostname, queue, now.Add(time.Duration(len(nodes))*time.Microsecond)))
	}
	for i, roles := range lay.managers {
		add(roles, manager, managerNames[i])
	}
	for i := range logins {
		add([]hpc.Role{hpc.RoleLogin}, login, fmt.Sprintf("login%d", i))
	}
	preemptible, err := s.spotOf("create a cluster", q.ComputeSpotStrategy, q.ComputeSpotPriceLimit, compute.Name, now)
	if err != nil {
		return nil, err
	}
	others := len(nodes)
	for i := range computes {
		add([]hpc.Role{hpc.RoleCompute}, compute, store.ComputeName(i))
	}
	preemptible.mark(nodes[others:])
	return nodes, nil
}

// orderedType is the type of a role's nodes, which has to exist also while there
// are none: nodes that are added later get it.
func (s *Service) orderedType(role, name string) (hpc.InstanceType, error) {
	t, known := s.Config.InstanceType(name)
	if !known {
		return t, api.InvalidParams.Errorf("cannot create a cluster: EcsOrder.%s.InstanceType %q is no instance type; ListAvailableEcsTypes has those there are", role, name)
	}
	return t, nil
}

func types(nodes []*store.Node) []hpc.InstanceType {
	list := make([]hpc.InstanceType, len(nodes))
	for i, n := range nodes {
		list[i] = n.InstanceType
	}
	return list
}
