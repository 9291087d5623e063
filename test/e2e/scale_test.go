package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// TestAClusterFollowsItsQueue begins and ends without compute nodes.
func TestAClusterFollowsItsQueue(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(t.TempDir(), "ehpc.yaml")
	rig.Must(t, os.WriteFile(conf, []byte("autoscale_minute: 3s\n"), 0o600))
	s := rig.StartWith(t, "--config", conf)
	c := s.Create(t, "elastic", rig.Order{Mode: "Tiny"})
	ada := c.AddAccount(t, "lovelace", "users")
	awaitAccount(t, c, "lovelace")
	const most = 4
	c.Do(t, &api.SetAutoScaleConfigRequest{ClusterId: c.ID, EnableAutoGrow: true, EnableAutoShrink: true, MaxNodesInCluster: most, ShrinkIdleTimes: 2,
		GrowIntervalInMinutes: 2, ShrinkIntervalInMinutes: 2, GrowTimeoutInMinutes: 20, GrowRatio: 100}, nil)
	begun := time.Now()
	wide := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "srun hostname", Node: ptr(2)})
	jobs := []string{wide}
	for range 29 {
		jobs = append(jobs, c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "sleep 2"}))
	}
	seen, first := 0, time.Duration(0)
	rig.Until(t, "all 30 jobs are done", 2*rig.ComeUp, func() bool {
		seen = max(seen, computeCount(c.Nodes(t)))
		done := true
		for _, j := range jobs {
			switch state := c.Job(t, j).State; state {
			case "COMPLETED":
			case "FAILED", "CANCELLED", "NODE_FAIL":
				t.Fatalf("job %s is %s", j, state)
			default:
				if first == 0 && state == "RUNNING" {
					first = time.Since(begun)
				}
				done = false
			}
		}
		return done
	})
	t.Logf("the first job ran %s after it was submitted, 30 were done after %s", first.Round(10*time.Millisecond), time.Since(begun).Round(10*time.Millisecond))
	if seen != most {
		t.Errorf("it grew to %d nodes, not to %d", seen, most)
	}
	rig.Until(t, "no compute node is left", rig.GoAway, func() bool { return computeCount(c.Nodes(t)) == 0 })
	t.Logf("it was back to none after %s", time.Since(begun).Round(10*time.Millisecond))
	var lines []string
	for _, l := range slices.Backward(c.Logs(t)) {
		if l.Operation == "AutoScale" {
			lines = append(lines, l.Message)
		}
	}
	log := strings.Join(lines, "\n")
	t.Logf("the cluster's log:\n%s", log)
	for _, what := range []string{"are added to queue workq", "is drained", "is released"} {
		if !strings.Contains(log, what) {
			t.Errorf("the cluster's log has no line with %q", what)
		}
	}
	testLargerNodes(t, c, ada)
	testBudgets(t, c, ada)
	c.Delete(t)
}

// testLargerNodes is about a job that no node of the queue could hold when it
// was submitted, and a first type of which this machine can make none.
func testLargerNodes(t *testing.T, c *rig.Cluster, ada rig.Account) {
	t.Helper()
	c.Add(t, 1)
	c.Do(t, &api.SetAutoScaleConfigRequest{ClusterId: c.ID, MaxNodesInCluster: 2, GrowIntervalInMinutes: 2, ShrinkIntervalInMinutes: 2, ShrinkIdleTimes: 3,
		GrowTimeoutInMinutes: 20, GrowRatio: 100, Queues: []api.SetAutoScaleConfigRequestQueues{{QueueName: "workq", EnableAutoGrow: true, InstanceTypesText: "ecs.gn5-c4g1.xlarge,ecs.n1.medium"}}}, nil)
	job := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "true", Thread: ptr(2)})
	c.AwaitJob(t, job, "COMPLETED")
	if n := computeCount(c.Nodes(t)); n != 1 {
		t.Errorf("%d nodes were added for it", n)
	}
	logs := ""
	for _, l := range c.Logs(t) {
		logs += l.Message + "\n"
	}
	for _, what := range []string{"instance type ecs.gn5-c4g1.xlarge is left alone until", "nodes on this host have none", "1 nodes of type ecs.n1.medium are added to queue workq"} {
		if !strings.Contains(logs, what) {
			t.Errorf("the cluster's log has no line with %q", what)
		}
	}
	var plan api.DescribeAutoScalePlanResponse
	c.Do(t, &api.DescribeAutoScalePlanRequest{ClusterId: c.ID}, &plan)
	if plan.Summary == "" || len(plan.Steps.StepInfo) == 0 {
		t.Errorf("the plan is %+v", plan)
	}
	t.Logf("the plan: %+v", plan)
}

func computeCount(nodes []api.ListNodesNodeInfo) (n int) {
	for _, node := range nodes {
		if node.CreateMode == "autoscale" {
			n++
		}
	}
	return n
}
