package reconcile

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	"ehpc/internal/store"
)

func TestANodeWaitsForItsScripts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status hpc.NodeStatus
		state  scriptsState
		alive  bool
		want   nodeAct // "" to wait
	}{
		{"without scripts it is set up", hpc.NodeInit, scriptsDone, true, applyPlan},
		{"it waits until they are fetched", hpc.NodeInit, scriptsMissing, true, ""},
		{"it is prepared for them", hpc.NodeInit, scriptsWanted, true, prepareNode},
		{"it waits while they run", hpc.NodeInit, scriptsRunning, true, ""},
		{"it fails with them", hpc.NodeInit, scriptsFailed, true, failNode},
		{"in exception it is not tried again: they would run again", hpc.NodeException, scriptsFailed, true, ""},
		{"another exception is tried again", hpc.NodeException, scriptsDone, true, retryNode},
		{"a new machine is a new attempt", hpc.NodeException, scriptsFailed, false, retryNode},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1)
			n := w.v.Nodes[0] // the manager waits for nobody else
			n.Status, n.Address, n.BootID = c.status, "10.0.0.2", "1"
			w.v.Nodes = w.v.Nodes[:1]
			w.v.Scripts = map[string]scripts{n.ID: {State: c.state, Reason: "why"}}
			if c.alive {
				w.v.Machines[n.ID] = provider.Machine{ID: n.ID, State: provider.Running, BootID: "1"}
				w.v.Present[n.ID] = true
			}
			var got nodeAct
			for _, s := range planNodes(w.now.Add(time.Second), w.v, DefaultLimits) {
				if got = s.Act; got == failNode && s.Reason != "why" {
					t.Errorf("the reason is %q", s.Reason)
				}
			}
			if got != c.want {
				t.Errorf("the step is %q, want %q", got, c.want)
			}
		})
	}
}

func TestScriptsLine(t *testing.T) {
	t.Parallel()
	line := scriptsLine([]*store.PostScript{
		{Position: 1, URL: "https://user:hunter2@example.com/it's.sh?Signature=hunter2", Args: "a 'b c'"},
		{Position: 2, URL: "http://example.com/two.sh", Args: "x # a comment"},
	})
	for _, want := range []string{"\nrun 1 a 'b c'\n", "\nrun 2 x # a comment\ns=$?", `script 1: https://example.com/it%27s.sh'`} {
		if !strings.Contains(line, want) && !strings.Contains(line, strings.ReplaceAll(want, "%27", `'\''`)) {
			t.Errorf("%q is missing in\n%s", want, line)
		}
	}
	if strings.Contains(line, "hunter2") {
		t.Errorf("a secret shows in\n%s", line)
	}
}

func TestAMachineHasItsOwnRunOfTheScripts(t *testing.T) {
	t.Parallel()
	ids := []string{(&store.Node{ID: "a", BootID: "1"}).ScriptsCommand(), (&store.Node{ID: "a", BootID: "2"}).ScriptsCommand(), (&store.Node{ID: "b", BootID: "1"}).ScriptsCommand()}
	if slices.Sort(ids); len(slices.Compact(ids)) != 3 {
		t.Errorf("the commands are %v", ids)
	}
}
