package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// noticed is how long a sick node may take to be found, replaced and in service.
const noticed = 2 * rig.ComeUp

func TestSickNodesAreReplaced(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	c := s.Create(t, "ward", rig.Order{Mode: "Tiny", Computes: 1})
	ada := c.AddAccount(t, "lovelace", "users")
	awaitAccount(t, c, "lovelace")

	before := s.Machine(t, c.Node(t, "compute000").Id).BootID
	began := time.Now()
	for _, command := range []string{"grep nothere /etc/hostname", "exit 7", "./missing", "kill -9 $$"} {
		c.AwaitJob(t, c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: command}), "FAILED")
	}
	c.AwaitJob(t, c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "true", StdoutRedirectPath: "/home/lovelace/none-%j/out"}), "FAILED")
	c.AwaitJob(t, c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "true"}), "COMPLETED")
	if n := c.Node(t, "compute000"); n.LockReason != "" || s.Machine(t, n.Id).BootID != before ||
		slices.ContainsFunc(c.Logs(t), func(l api.ListClusterLogsLogInfo) bool { return l.Operation == "Health" }) {
		t.Errorf("five jobs that failed by themselves have become their node's fault: %+v", n)
	}

	c.Add(t, 2)
	var anew []func()
	for host, sick := range map[string]struct{ command, reason string }{
		"compute000": {"umount -l /home", "its share /home is not mounted"},
		"compute001": {"dd if=/dev/zero of=/tmp/full bs=1M 2>/dev/null; true", "its disk is full: 0 MB"},
	} {
		id := c.Node(t, host).Id
		before := s.Machine(t, id).BootID
		s.Inside(t, id, sick.command)
		anew = append(anew, func() {
			awaitAnew(t, c, host, before)
			wasTold(t, c, host, sick.reason)
		})
	}
	sound := c.Node(t, "compute002")
	c.Shell(t, "manager", "scontrol update nodename=compute002 state=drain reason='its fan is broken'")
	for _, wait := range anew {
		wait()
	}
	t.Logf("two more were replaced within %s", time.Since(began).Round(time.Second))
	rig.Until(t, "the administrator's drain is shown", noticed, func() bool { return strings.Contains(c.Node(t, "compute002").StateInSched, "drain") })
	c.Do(t, &api.ResumeNodesRequest{ClusterId: c.ID, Instance: []api.ResumeNodesRequestInstance{{Id: sound.Id}}}, nil)
	rig.Until(t, "all nodes take jobs", noticed, func() bool {
		return !slices.ContainsFunc([]string{"compute000", "compute001", "compute002"}, func(host string) bool { return c.Node(t, host).StateInSched != "idle" })
	})
	c.AwaitJob(t, c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "srun hostname", Node: ptr(3)}), "COMPLETED")
	c.Delete(t)
}

// awaitAnew waits until a node is in service on another machine than before.
func awaitAnew(t *testing.T, c *rig.Cluster, host, before string) {
	t.Helper()
	rig.Until(t, host+" is in service on a new machine", noticed, func() bool {
		n := c.Node(t, host)
		return n.Status == "running" && n.LockReason == "" && c.Machine(t, n.Id).BootID != before && n.StateInSched == "idle"
	})
}

// wasTold looks for both lines in the cluster's log that a sick node leaves.
func wasTold(t *testing.T, c *rig.Cluster, host, reason string) {
	t.Helper()
	for _, what := range []string{" is drained: ", " is replaced: "} {
		if !slices.ContainsFunc(c.Logs(t), func(l api.ListClusterLogsLogInfo) bool {
			return l.Operation == "Health" && strings.Contains(l.Message, host) && strings.Contains(l.Message, what+reason)
		}) {
			t.Errorf("the cluster's log does not tell that %s%s%s", host, what, reason)
		}
	}
}
