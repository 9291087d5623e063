package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// TestTheServerMayBeKilledAtAnyMoment kills it with SIGKILL, several times in
// each of four changes, and starts it again: everything converges, nothing is
// there twice, and what was running is not touched.
func TestTheServerMayBeKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	k := &killer{Server: rig.Start(t), rand: rand.New(rand.NewPCG(seed(t)))}
	var c *rig.Cluster
	k.during(t, "creating a cluster", 12, func() {
		c = k.Ask(t, "lab", rig.Order{Managers: 1, Logins: 1, Computes: 2})
	}, func() bool { return c.Running(t) })
	k.whole(t, c, "compute000", "compute001", "login0", "manager")

	ada := c.AddAccount(t, "lovelace", "users")
	job := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: rig.Waiting, Name: "long"})
	c.AwaitJob(t, job, "RUNNING")
	command := c.Invoke(t, &api.InvokeShellCommandRequest{Command: "echo begun; until [ -e /home/lovelace/go ]; do sleep 0.1; done; echo ended; exit 7"})
	before := machines(t, c)

	k.during(t, "adding nodes", 8, func() { c.AskNodes(t, 2) }, func() bool { return c.InService(t, 6) })
	k.whole(t, c, "compute000", "compute001", "compute002", "compute003", "login0", "manager")
	k.during(t, "deleting nodes", 5, func() {
		c.Drop(t, c.Node(t, "compute002").Id, c.Node(t, "compute003").Id)
	}, func() bool { return c.InService(t, 4) })
	k.whole(t, c, "compute000", "compute001", "login0", "manager")
	if after := machines(t, c); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("running nodes were touched: their machines are %v, they were %v", after, before)
	}

	c.AwaitJob(t, job, "RUNNING")
	c.Shell(t, "manager", "touch /home/lovelace/go")
	c.AwaitJob(t, job, "COMPLETED")
	if got := c.Shell(t, "manager", "wc -l < /home/lovelace/started"); got != "1" {
		t.Errorf("the job has started %s times", got)
	}
	for host, r := range c.Results(t, command) {
		if want := (rig.Result{Status: "Finished", ExitCode: 7, Output: "begun\nended\n"}); r != want {
			t.Errorf("the command that ran all the time came on %s to %+v, want %+v", host, r, want)
		}
	}

	traces := c.Traces(t)
	k.during(t, "deleting the cluster", 5, func() {
		c.Do(t, &api.DeleteClusterRequest{ClusterId: c.ID}, nil)
	}, func() bool { return c.Gone(t) })
	for _, left := range append(traces.Left(), append(k.Machines(t), k.Containers(t)...)...) {
		t.Errorf("still there after the cluster: %s", left)
	}
}

// killer kills a server at random moments.
type killer struct {
	*rig.Server
	rand *rand.Rand
}

// kills is how often the server is killed during one change.
const kills = 3

// during asks for a change, kills the server after a random number of lines in
// its log, at most so many, or a random time, whatever comes first, starts it
// again, some times over, and waits until the change is done.
func (k *killer) during(t *testing.T, what string, lines int, ask func(), done func() bool) {
	t.Helper()
	place := k.Log.Len()
	ask()
	for range kills {
		count, limit := k.rand.IntN(lines+1), time.Duration(k.rand.Int64N(int64(2*time.Second)))
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		k.Log.Lines(ctx, place, count)
		cancel()
		k.Kill()
		t.Logf("%s: killed after %d lines, at the latest after %s", what, count, limit)
		place = k.Log.Len()
		k.Restart(t)
	}
	rig.Until(t, what+" is done", rig.ComeUp, done)
}

// whole checks that the cluster's nodes are these and that each has one machine.
func (k *killer) whole(t *testing.T, c *rig.Cluster, want ...string) {
	t.Helper()
	var names, ids []string
	for _, n := range c.Nodes(t) {
		names, ids = append(names, n.HostName), append(ids, n.Id)
	}
	if !slices.Equal(names, want) {
		t.Errorf("the nodes are %v, want %v", names, want)
	}
	slices.Sort(ids)
	for what, have := range map[string][]string{"machines": k.Machines(t), "containers": k.Containers(t)} {
		if slices.Sort(have); !slices.Equal(have, ids) {
			t.Errorf("the %s are %v, the nodes %v", what, have, ids)
		}
	}
	if hosts := strings.Split(c.Shell(t, "manager", "hostname && scontrol -o show nodes | grep -c NodeName="), "\n"); len(hosts) != 2 ||
		hosts[1] != fmt.Sprint(strings.Count(strings.Join(want, " "), "compute")) {
		t.Errorf("the scheduler's nodes are %v", hosts)
	}
}

func machines(t *testing.T, c *rig.Cluster) map[string]rig.Machine {
	t.Helper()
	all := map[string]rig.Machine{}
	for _, n := range c.Nodes(t) {
		all[n.HostName] = c.Machine(t, n.Id)
	}
	return all
}
