package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

func TestABusyNodeIsDrainedBeforeItGoes(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	c := s.Create(t, "lab", rig.Order{Mode: "Tiny", Computes: 1})
	c.Add(t, 3)
	ada := c.AddAccount(t, "lovelace", "users")
	job := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: rig.Waiting, Node: ptr(2)})
	busy := nodesOf(t, c.AwaitJob(t, job, "RUNNING"))
	rest := slices.DeleteFunc([]string{"compute000", "compute001", "compute002", "compute003"},
		func(name string) bool { return slices.Contains(busy, name) })
	if len(rest) != 2 {
		t.Fatalf("the job runs on %v", busy)
	}
	node, idle, spare := c.Node(t, busy[0]), c.Node(t, rest[0]), rest[1]

	c.Drop(t, node.Id, idle.Id)
	rig.Until(t, "the idle node is gone", rig.GoAway, func() bool { return !slices.Contains(s.Machines(t), idle.Id) })
	rig.Until(t, "the busy node is draining", rig.GoAway, func() bool { return c.Node(t, node.HostName).StateInSched != node.StateInSched })
	c.Drop(t, node.Id) // again: it is no obstacle, and still waits for its job
	other := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "true"})
	if ran := nodesOf(t, c.AwaitJob(t, other, "COMPLETED")); !slices.Equal(ran, []string{spare}) {
		t.Errorf("a new job ran on %v, want %s", ran, spare)
	}
	if state := c.Job(t, job).State; state != "RUNNING" || !slices.Contains(s.Machines(t), node.Id) {
		t.Errorf("the node did not wait for its job, which is %s", state)
	}

	c.Shell(t, "manager", "touch /home/lovelace/go")
	c.AwaitJob(t, job, "COMPLETED")
	rig.Until(t, "the node is gone", rig.GoAway, func() bool { return c.InService(t, 3) })
	if slices.Contains(s.Machines(t), node.Id) {
		t.Error("the node's machine is still there")
	}
	c.Delete(t)
}

func TestNodesThatAreDeletedByForceGoWithTheirJobs(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	c := s.Create(t, "lab", rig.Order{Mode: "Tiny", Computes: 3})
	ada := c.AddAccount(t, "lovelace", "users")
	rerun := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: rig.Waiting, ReRunable: ptr(true)})
	one := c.Node(t, nodesOf(t, c.AwaitJob(t, rerun, "RUNNING"))[0])
	fails := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "sleep 1000000"})
	two := c.Node(t, nodesOf(t, c.AwaitJob(t, fails, "RUNNING"))[0])
	c.Drop(t, one.Id, two.Id)
	rig.Until(t, "they wait for their jobs", rig.GoAway, func() bool {
		const waits = "it goes once its jobs have ended"
		return c.Node(t, one.HostName).LockReason == waits && c.Node(t, two.HostName).LockReason == waits
	})

	var a api.DeleteNodesResponse
	c.Do(t, &api.DeleteNodesRequest{ClusterId: c.ID, ReleaseInstance: true, Force: true,
		Instance: []api.DeleteNodesRequestInstance{{Id: one.Id}, {Id: two.Id}}}, &a)
	if want := "requeued jobs " + rerun + "; jobs that may not run again fail: " + fails; a.Message != want {
		t.Errorf("the answer tells %q, want %q", a.Message, want)
	}
	began := time.Now()
	rig.Until(t, "they are gone", rig.GoAway, func() bool { return c.InService(t, 2) })
	t.Logf("they were gone after %s", time.Since(began).Round(10*time.Millisecond))
	if j := c.AwaitJob(t, fails, "NODE_FAIL"); !strings.Contains(j.Comment, "it was deleted, and its jobs were not waited for") {
		t.Errorf("the job that failed says %q", j.Comment)
	}
	rig.Until(t, "the other job runs on the node that is left", rig.ComeUp, func() bool {
		j := c.Job(t, rerun)
		return j.State == "RUNNING" && !slices.Contains([]string{one.HostName, two.HostName}, nodesOf(t, j)[0])
	})
	c.Shell(t, "manager", "touch /home/lovelace/go")
	c.AwaitJob(t, rerun, "COMPLETED")
	for _, l := range c.Logs(t) {
		if l.Operation == "DeleteNodes" || l.Level == "WARN" {
			t.Logf("%s: %s", l.Level, l.Message)
		}
	}
	c.Delete(t)
}

// nodesOf are the hostnames of the nodes that a job has, in order.
func nodesOf(t *testing.T, job api.ListJobsJobInfo) []string {
	t.Helper()
	var names []string
	rig.Must(t, json.Unmarshal([]byte(job.NodeList), &names))
	slices.Sort(names)
	return names
}
