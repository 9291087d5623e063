package reconcile

import (
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

func TestReclaimPlan(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	lim := Limits{Lead: 15 * time.Second}
	dear := func(n *store.Node) { n.SpotStrategy, n.SpotPriceLimit = hpc.SpotWithPriceLimit, 0.2 }
	phase := func(p hpc.ReclaimPhase, in time.Duration) func(*store.Node) {
		return func(n *store.Node) { n.ReclaimPhase, n.Reclaim = p, now.Add(in) }
	}
	unwanted := func(n *store.Node) { n.Wanted, n.Status = false, hpc.NodeReleasing }
	type node = []func(*store.Node)
	const running, dead = provider.Running, provider.Dead
	const idle, busy, draining, drained = scheduler.NodeIdle, scheduler.NodeBusy, scheduler.NodeDraining, scheduler.NodeDrained
	for name, c := range map[string]struct {
		node    node
		machine provider.State
		told    time.Duration // until the machine's end; 0: the provider says nothing
		sched   scheduler.NodeState
		want    nodeAct
	}{
		"without notice nothing is done":                  {nil, running, 0, busy, ""},
		"a notice is noted":                               {nil, running, time.Minute, busy, noteReclaim},
		"while a step of its life has to wait, too":       {node{func(n *store.Node) { n.RetryAt = now.Add(time.Hour) }}, running, time.Minute, busy, noteReclaim},
		"a machine that was taken is not made anew":       {nil, dead, -time.Second, busy, noteReclaim},
		"one that died by itself is":                      {nil, dead, 0, busy, loseMachine},
		"what was asked for is told the provider":         {node{phase(hpc.ReclaimAsked, time.Minute)}, running, 0, busy, tellProvider},
		"and noted when it says so itself":                {node{phase(hpc.ReclaimAsked, time.Minute)}, running, time.Minute, busy, noteReclaim},
		"a machine that dies meanwhile counts as taken":   {node{phase(hpc.ReclaimAsked, time.Minute)}, dead, 0, busy, noteReclaim},
		"with notice it is drained":                       {node{phase(hpc.ReclaimNoticed, time.Minute)}, running, time.Minute, busy, drainReclaimed},
		"its jobs may run until shortly before":           {node{phase(hpc.ReclaimNoticed, 16*time.Second)}, running, 16 * time.Second, draining, ""},
		"and then go back to the queue":                   {node{phase(hpc.ReclaimNoticed, 15*time.Second)}, running, 15 * time.Second, draining, requeueJobs},
		"once":                                            {node{phase(hpc.ReclaimRequeued, 14*time.Second)}, running, 14 * time.Second, draining, ""},
		"those of a node that was deleted before as well": {node{phase(hpc.ReclaimNoticed, time.Second), unwanted}, running, time.Second, draining, requeueJobs},
		"without jobs it goes before its time":            {node{phase(hpc.ReclaimNoticed, time.Minute)}, running, time.Minute, drained, giveBack},
		"and when its machine has ended":                  {node{phase(hpc.ReclaimRequeued, -time.Second)}, dead, -time.Second, draining, giveBack},
		"also while the scheduler does not answer":        {node{phase(hpc.ReclaimRequeued, -time.Second)}, dead, -time.Second, "", giveBack},
		"which is waited for while the machine lives":     {node{phase(hpc.ReclaimNoticed, time.Second)}, running, time.Second, "", ""},
		"what was unwanted and died is released":          {node{phase(hpc.ReclaimNoticed, 0), unwanted}, dead, -time.Second, draining, releaseNode},
		"a price above the limit":                         {node{dear}, running, 0, busy, askReclaim},
		"is told of a node without a machine":             {node{dear, func(n *store.Node) { n.Status = hpc.NodeUninit }}, "", 0, "", awaitPrice},
		"and not twice": {node{dear, func(n *store.Node) {
			n.Status, n.Reason = hpc.NodeUninit, "the spot price of t is above the node's limit of 0.2 an hour; it is made when the price has fallen"
		}}, "", 0, "", ""},
		"is nothing to a node that costs what it costs": {node{func(n *store.Node) { n.SpotStrategy = hpc.SpotAsPriceGo }}, running, 0, idle, ""},
		"a manager's machine is made anew":              {node{func(n *store.Node) { n.Roles = append(n.Roles, hpc.RoleManager) }}, dead, -time.Second, busy, loseMachine},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &store.Node{ID: "i", Hostname: "compute000", Roles: []hpc.Role{hpc.RoleCompute}, InstanceType: hpc.InstanceType{Name: "t"},
				Queue: "workq", Status: hpc.NodeRunning, Wanted: true, BootID: "1"}
			for _, change := range c.node {
				change(n)
			}
			v := &clusterView{Cluster: &store.Cluster{Status: hpc.ClusterRunning, Wanted: true}, Nodes: []*store.Node{n},
				Machines: map[string]provider.Machine{}, Present: map[string]bool{"i": true}, Plans: map[string]string{}, Reclaims: true,
				Tariff: hpc.Tariff{Types: map[string]hpc.InstanceType{"t": {Price: 0.3}}}}
			if c.machine != "" {
				m := provider.Machine{ID: "i", BootID: "1", State: c.machine}
				if c.told != 0 {
					m.Reclaim = now.Add(c.told)
				}
				v.Machines["i"] = m
			}
			if c.sched != "" {
				v.Sched = map[string]scheduler.Node{"compute000": {State: c.sched}}
			}
			var got nodeAct
			for _, s := range planNodes(now, v, lim) {
				got = s.Act
			}
			if got != c.want {
				t.Errorf("the step is %q, want %q", got, c.want)
			}
		})
	}
}

func TestJobsOfAHostThatLeavesWantAnother(t *testing.T) {
	t.Parallel()
	on := func(id string, host string) scheduler.Job {
		return scheduler.Job{ID: id, Queue: "workq", State: hpc.JobRunning, Nodes: []string{host}, Cores: 1}
	}
	rows := []*store.Job{{SchedID: "1", Token: "a", Wanted: true, Spec: hpc.JobSpec{Rerunable: true}}, {SchedID: "2", Token: "b", Wanted: true},
		{SchedID: "3", Token: "c", Spec: hpc.JobSpec{Rerunable: true}}, {SchedID: "4", Token: "d", Wanted: true, Spec: hpc.JobSpec{Rerunable: true}}}
	seen := scheduler.Observation{Queue: []scheduler.Job{on("1", "leaves"), on("2", "leaves"), on("3", "leaves"), on("4", "stays"), on("5", "leaves")}}
	hosts := leaving([]*store.Node{{Hostname: "leaves", ReclaimPhase: hpc.ReclaimNoticed}, {Hostname: "stays"}})
	count := 0
	for _, c := range waitingJobs(rows, seen, hosts) {
		count += c.Count
	}
	if count != 2 {
		t.Errorf("%d jobs want a node, not the two that may run again and are wanted", count)
	}
}
