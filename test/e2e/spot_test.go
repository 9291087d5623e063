package e2e

import (
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// TestANodeThatIsTakenBackGivesItsJobBack takes a node from under a running job,
// with notice and without. The job runs again on the node that takes its place,
// and comes to its end once.
func TestANodeThatIsTakenBackGivesItsJobBack(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	c := s.Create(t, "market", rig.Order{Mode: "Tiny"})
	ada := c.AddAccount(t, "lovelace", "users")
	awaitAccount(t, c, "lovelace")
	c.Do(t, &api.AddNodesRequest{ClusterId: c.ID, Count: 1, ComputeSpotStrategy: "SpotAsPriceGo"}, nil)
	rig.Until(t, "the node is in service", rig.ComeUp, func() bool { return c.InService(t, 2) })
	for _, notice := range []int{18, 0} {
		node := onlyCompute(t, c)
		// It ends well when it is told to stop, which is not its end.
		job := c.Submit(t, ada, &api.SubmitJobRequest{Name: "again", ReRunable: ptr(true),
			CommandLine: `trap "echo told >> told; exit 0" TERM; echo $(hostname) >> started; until [ -e go ]; do sleep 0.1; done; echo done >> ended`})
		c.AwaitJob(t, job, "RUNNING")
		rig.Until(t, "the job's script has started", rig.ComeUp, func() bool { return begun(t, c) == 1 })
		asked := time.Now()
		c.Do(t, &api.ReclaimNodesRequest{ClusterId: c.ID, Instance: []api.ReclaimNodesRequestInstance{{Id: node.Id}}, Notice: &notice}, nil)
		rig.Until(t, "another node takes its place", rig.ComeUp, func() bool {
			return c.InService(t, 3) || onlyComputeIs(t, c, node.Id)
		})
		t.Logf("with %d s of notice its successor is in service after %s", notice, time.Since(asked).Round(10*time.Millisecond))
		rig.Until(t, "the job has begun again", rig.ComeUp, func() bool { return begun(t, c) == 2 })
		t.Logf("and the job has begun again after %s", time.Since(asked).Round(10*time.Millisecond))
		c.Shell(t, "manager", "touch /home/lovelace/go")
		c.AwaitJob(t, job, "COMPLETED")
		rig.Until(t, node.HostName+" is gone", rig.GoAway, func() bool { return onlyComputeIs(t, c, node.Id) })
		t.Logf("and it is gone after %s", time.Since(asked).Round(10*time.Millisecond))
		next := onlyCompute(t, c)
		if got, want := c.Shell(t, "manager", "cd /home/lovelace && cat started ended"), node.HostName+"\n"+next.HostName+"\ndone"; got != want {
			t.Errorf("the job started and ended: %q, want %q", got, want)
		}
		if told := c.Try(t, "manager", "cat /home/lovelace/told").Output; (strings.TrimSpace(told) == "told") != (notice > 0) {
			t.Errorf("with %d s of notice it was told to stop: %q", notice, told)
		}
		if next.SpotStrategy != "SpotAsPriceGo" {
			t.Errorf("its successor is %s", next.SpotStrategy)
		}
		if got := c.Describe(t, job); got.Restarts != 1 || got.ExitCode != 0 {
			t.Errorf("the job is %+v", got)
		}
		log := reclaims(t, c)
		t.Logf("the cluster's log:\n%s", log)
		for _, words := range []string{"node " + node.HostName + " (" + node.Id + ") is taken back", next.HostName + " (" + next.Id + ") takes its place", "requeued jobs " + job} {
			if !strings.Contains(log, words) {
				t.Errorf("the cluster's log has no line with %q", words)
			}
		}
		c.Shell(t, "manager", "rm -f /home/lovelace/go /home/lovelace/started /home/lovelace/ended /home/lovelace/told")
	}
	c.Delete(t)
}

// begun is how often the job has begun.
func begun(t *testing.T, c *rig.Cluster) int {
	t.Helper()
	return strings.Count(c.Try(t, "manager", "cat /home/lovelace/started").Output, "compute")
}

func reclaims(t *testing.T, c *rig.Cluster) string {
	t.Helper()
	var lines []string
	for _, l := range c.Logs(t) {
		if l.Operation == "Reclaim" {
			lines = append(lines, l.Message)
		}
	}
	return strings.Join(lines, "\n")
}

func onlyCompute(t *testing.T, c *rig.Cluster) (node api.ListNodesNodeInfo) {
	t.Helper()
	count := 0
	for _, n := range c.Nodes(t) {
		if strings.HasPrefix(n.HostName, "compute") {
			node = n
			count++
		}
	}
	if count != 1 {
		t.Fatalf("there are %d compute nodes", count)
	}
	return node
}

// onlyComputeIs tells whether there is one compute node, in service, and another
// than before.
func onlyComputeIs(t *testing.T, c *rig.Cluster, before string) bool {
	t.Helper()
	count := 0
	for _, n := range c.Nodes(t) {
		if !strings.HasPrefix(n.HostName, "compute") {
			continue
		}
		if n.Id == before || n.Status != "running" {
			return false
		}
		count++
	}
	return count == 1
}
