package reconcile

import (
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	"ehpc/internal/store"
)

func TestNeighboursAreToldOfNodesTogether(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	plan := func(role hpc.Role, queue string, neighbours ...string) hpc.NodePlan {
		p := hpc.NodePlan{Self: hpc.Member{Hostname: "self", Roles: []hpc.Role{role}}, Queues: []hpc.Queue{{Name: queue}}}
		for _, name := range neighbours {
			p.Members = append(p.Members, hpc.Member{Hostname: name})
		}
		return p
	}
	for name, c := range map[string]struct {
		role    hpc.Role
		want    hpc.NodePlan
		made    time.Duration // ago
		refresh bool
	}{
		"more may come":             {hpc.RoleCompute, plan(hpc.RoleCompute, "workq", "new"), growFor / 2, false},
		"none came any more":        {hpc.RoleCompute, plan(hpc.RoleCompute, "workq", "new"), growFor, true},
		"a queue does not wait":     {hpc.RoleCompute, plan(hpc.RoleCompute, "night", "new"), growFor / 2, true},
		"the manager does not wait": {hpc.RoleManager, plan(hpc.RoleManager, "workq", "new"), growFor / 2, true},
		"nothing has changed":       {hpc.RoleCompute, plan(hpc.RoleCompute, "workq"), growFor, false},
	} {
		n := &store.Node{ID: "i-self", Roles: []hpc.Role{c.role}, Wanted: true, Status: hpc.NodeRunning, BootID: "b", Plan: planHash(plan(c.role, "workq"))}
		other := &store.Node{ID: "i-new", Roles: []hpc.Role{hpc.RoleCompute}, Wanted: true, Status: hpc.NodeInit, BootID: "b", Changed: now.Add(-c.made)}
		v := &clusterView{Cluster: &store.Cluster{Wanted: true, Status: hpc.ClusterRunning}, Nodes: []*store.Node{n, other},
			Machines: map[string]provider.Machine{"i-self": {ID: "i-self", State: provider.Running, BootID: "b"}, "i-new": {ID: "i-new", State: provider.Running, BootID: "b"}},
			Present:  map[string]bool{"i-self": true}, Plans: map[string]string{"i-self": planHash(c.want)}}
		got := false
		for _, s := range planNodes(now, v, DefaultLimits) {
			got = got || s.Node == n && s.Act == refreshPlan
		}
		if got != c.refresh {
			t.Errorf("%s: refreshed is %v", name, got)
		}
	}
}
