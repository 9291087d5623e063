package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// noticeLimit is how long a node's death may go unnoticed.
const noticeLimit = time.Minute

// TestANodeThatDiesIsMadeAnew kills nodes' inits, as the host's kernel would
// for want of memory.
func TestANodeThatDiesIsMadeAnew(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	c := s.Create(t, "lab", rig.Order{Mode: "Simple", Computes: 1})
	ada := c.AddAccount(t, "lovelace", "users")

	t.Run("a compute node's job is requeued and runs again", func(t *testing.T) {
		job := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: rig.Waiting, Name: "again", ReRunable: ptr(true)})
		c.AwaitJob(t, job, "RUNNING")
		rig.Until(t, "the job's script has started", rig.ComeUp, func() bool { return starts(t, c) == 1 })
		kill(t, c, "compute000")
		c.Shell(t, "manager", "touch /home/lovelace/go")
		c.AwaitJob(t, job, "COMPLETED")
		if got := c.Shell(t, "manager", "cut -d' ' -f1,2 /home/lovelace/started"); got != "compute000 0\ncompute000 1" {
			t.Errorf("the job's starts are %q", got)
		}
		c.Shell(t, "manager", "rm /home/lovelace/go /home/lovelace/started")
	})

	t.Run("a manager's queue goes on and the running job survives", func(t *testing.T) {
		running := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: rig.Waiting, Name: "running"})
		c.AwaitJob(t, running, "RUNNING")
		rig.Until(t, "the job's script has started", rig.ComeUp, func() bool { return starts(t, c) == 1 })
		pending := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "echo mine", Name: "waits.its.turn"})
		c.AwaitJob(t, pending, "PENDING")
		// Slurm's state on the cluster's volume is some seconds behind.
		c.Shell(t, "manager", "timeout 20 sh -c 'until grep -q waits.its.turn /ehpc/state/slurm/state/job_state; do sleep 0.1; done'")
		compute := c.Machine(t, c.Node(t, "compute000").Id)
		kill(t, c, "manager")
		if now := c.Machine(t, c.Node(t, "compute000").Id); now != compute {
			t.Errorf("the compute node's machine is %+v, it was %+v", now, compute)
		}
		c.Shell(t, "login0", "touch /home/lovelace/go")
		c.AwaitJob(t, running, "COMPLETED")
		c.AwaitJob(t, pending, "COMPLETED")
		if starts := starts(t, c); starts != 1 {
			t.Errorf("the running job has started %d times", starts)
		}
		later := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "true", Name: "later"})
		if later == running || later == pending {
			t.Errorf("the id %s was given twice", later)
		}
		c.AwaitJob(t, later, "COMPLETED")
	})
	c.Delete(t)
}

// starts is how often jobs in the account's home have started.
func starts(t *testing.T, c *rig.Cluster) int {
	t.Helper()
	return strings.Count(c.Try(t, "login0", "cat /home/lovelace/started").Output, "compute")
}

// kill kills a node's init, holds the service to its time limit for noticing
// that, and waits until the node is in service again.
func kill(t *testing.T, c *rig.Cluster, hostname string) {
	t.Helper()
	node := c.Node(t, hostname)
	machine := c.Machine(t, node.Id)
	rig.Must(t, syscall.Kill(machine.Init, syscall.SIGKILL))
	rig.Until(t, "the death of "+hostname+" is noticed", noticeLimit, func() bool {
		for _, line := range c.Logs(t) {
			if strings.Contains(line.Message, node.Id) && strings.Contains(line.Message, "died") {
				return true
			}
		}
		return false
	})
	rig.Until(t, hostname+" is in service again", rig.ComeUp, func() bool { return c.Running(t) })
	again := c.Node(t, hostname)
	if again.Id != node.Id || again.IpAddress != node.IpAddress {
		t.Errorf("%s is now %s at %s, it was %s at %s", hostname, again.Id, again.IpAddress, node.Id, node.IpAddress)
	}
	if now := c.Machine(t, node.Id); now.BootID == machine.BootID || now.Init == machine.Init {
		t.Errorf("the machine of %s was not made anew: %+v", hostname, now)
	}
}
