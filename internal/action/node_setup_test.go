package action

import (
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

func TestANodeSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	manager := &store.Node{ID: "m", Roles: []hpc.Role{hpc.RoleManager}, Status: hpc.NodeInit, Wanted: true}
	compute := func(status hpc.NodeStatus) *store.Node {
		return &store.Node{ID: "c", BootID: "1", Roles: []hpc.Role{hpc.RoleCompute}, Status: status, Wanted: true}
	}
	u := setUp{present: func(id string) bool { return there[id] }, manager: manager, scripts: true, runs: map[string]store.ScriptRun{}}
	expect := func(when string, n *store.Node, want string) {
		t.Helper()
		if got := u.waitsFor(n); got != want {
			t.Errorf("%s it waits for %q, want %q", when, got, want)
		}
	}
	n := compute(hpc.NodeInit)
	expect("without a machine", compute(hpc.NodeUninit), "machine")
	expect("before its agent has called", n, "agent")
	there["c"] = true
	expect("before the scripts have run", n, "scripts")
	u.runs[n.ScriptsCommand()] = store.ScriptRun{Status: hpc.CommandRunning}
	expect("while the scripts run", n, "scripts")
	u.runs[n.ScriptsCommand()] = store.ScriptRun{Status: hpc.CommandFinished}
	expect("while the manager is set up", n, "manager")
	manager.Status = hpc.NodeReady
	expect("while its own daemons come up", n, "services")
	expect("once they are up", compute(hpc.NodeReady), "scheduler")
	expect("in service", compute(hpc.NodeRunning), "")
	n.Wanted = false
	expect("on its way out", n, "")
}

func TestANodeThatIsTriedAgainSaysWhy(t *testing.T) {
	t.Parallel()
	for want, n := range map[string]*store.Node{
		"cannot make machine: no room": {Status: hpc.NodeUninit, Wanted: true, Reason: "cannot make machine: no room"},
		"its agent is silent":          {Status: hpc.NodeException, Wanted: true, Reason: "its agent is silent"},
		"its disk is full":             {Status: hpc.NodeRunning, Wanted: true, Reason: "of old", Health: store.Health{Reason: "its disk is full"}},
		"":                             {Status: hpc.NodeInit, Wanted: true},
	} {
		if got := lockReason(n); got != want {
			t.Errorf("a node that is %s because %q says %q", n.Status, n.Reason, got)
		}
	}
}
