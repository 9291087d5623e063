package e2e

import (
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// testBudgets has a running job spend an account's budget, and looks at what each
// action does at the limit and after the budget was raised.
func testBudgets(t *testing.T, c *rig.Cluster, ada rig.Account) {
	t.Helper()
	begun := time.Now()
	set := func(limit float64, q *api.SetBudgetRequest) {
		t.Helper()
		q.ClusterId, q.Limit = c.ID, limit
		c.Do(t, q, nil)
	}
	hold := func(limit float64) {
		t.Helper()
		set(limit, &api.SetBudgetRequest{UserName: ada.Name, LimitAction: "hold new jobs"})
	}
	const plenty = 1000
	hold(plenty)
	set(0.0001, &api.SetBudgetRequest{QueueName: "workq"})
	rig.Until(t, "a budget that warns is reached", rig.ComeUp, func() bool { return logged(t, c, "the budget of queue workq is reached", "") })
	spends := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "sleep 300"})
	c.AwaitJob(t, spends, "RUNNING")
	hold(spent(t, c, ada) + 0.0001)
	if logged(t, c, "the budget of account lovelace is reached", "") {
		t.Error("it is reached before more is spent")
	}
	rig.Until(t, "the job has spent what is left", rig.ComeUp, func() bool { return logged(t, c, "the budget of account lovelace is reached", "") })
	t.Logf("the limit was reached after %s", time.Since(begun).Round(10*time.Millisecond))

	held := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "true"})
	byHand := ""
	rig.Until(t, "what is submitted by hand is held, too", rig.ComeUp, func() bool {
		byHand = c.Shell(t, "manager", `su - lovelace -c "sbatch --parsable --wrap true 2>/dev/null"`)
		return kept(t, c, byHand)
	})
	rig.Until(t, "its comment says what holds it", rig.ComeUp, func() bool {
		return strings.Contains(c.Job(t, held).Comment, "held by the budget of account lovelace: ")
	})
	t.Logf("the comment: %s", c.Job(t, held).Comment)
	if !kept(t, c, held) || c.Job(t, held).State != "PENDING" {
		t.Errorf("the job that was submitted is %s", c.Job(t, held).State)
	}
	if state := c.Job(t, spends).State; state != "RUNNING" {
		t.Errorf("the job of before is %s", state)
	}
	c.Do(t, &api.StopJobsRequest{ClusterId: c.ID, Jobs: jobList(t, spends)}, nil)
	c.AwaitJob(t, spends, "CANCELLED")
	testStoppedGrowth(t, c, set)

	hold(plenty)
	for _, id := range []string{held, byHand} {
		c.AwaitJob(t, id, "COMPLETED")
	}
	if !logged(t, c, "the budget of account lovelace is not reached any more", "are let go") {
		t.Error("the cluster's log does not tell that they are let go")
	}
	t.Logf("all was done after %s", time.Since(begun).Round(10*time.Millisecond))
}

// testStoppedGrowth is about a job that needs one node more than there is.
func testStoppedGrowth(t *testing.T, c *rig.Cluster, set func(float64, *api.SetBudgetRequest)) {
	t.Helper()
	have := len(c.Nodes(t))
	set(0.0001, &api.SetBudgetRequest{LimitAction: "stop growing"})
	grace := c.AddAccount(t, "hopper", "users")
	awaitAccount(t, c, "hopper")
	computes := have - 1 // one is the manager
	c.Do(t, &api.SetAutoScaleConfigRequest{ClusterId: c.ID, MaxNodesInCluster: computes + 1, GrowIntervalInMinutes: 2, ShrinkIntervalInMinutes: 2, ShrinkIdleTimes: 3,
		GrowTimeoutInMinutes: 20, GrowRatio: 100, Queues: []api.SetAutoScaleConfigRequestQueues{{QueueName: "workq", EnableAutoGrow: true, InstanceTypesText: "ecs.n1.tiny"}}}, nil)
	wide := c.Submit(t, grace, &api.SubmitJobRequest{CommandLine: "true", Node: ptr(computes + 1)})
	rig.Until(t, "its comment says why nothing grows", rig.ComeUp, func() bool {
		return strings.Contains(c.Job(t, wide).Comment, "no node is added for it: the cluster's budget is reached")
	})
	if n := len(c.Nodes(t)); n != have {
		t.Errorf("there are %d nodes, were %d", n, have)
	}
	set(1000, &api.SetBudgetRequest{LimitAction: "stop growing"})
	c.AwaitJob(t, wide, "COMPLETED")
	if n := len(c.Nodes(t)); n != have+1 {
		t.Errorf("there are %d nodes, were %d", n, have)
	}
}

// spent is what of an account's budget is spent.
func spent(t *testing.T, c *rig.Cluster, as rig.Account) float64 {
	t.Helper()
	var a api.ListBudgetsResponse
	c.Do(t, &api.ListBudgetsRequest{ClusterId: c.ID}, &a)
	for _, b := range a.Budgets.BudgetInfo {
		if b.UserName == as.Name {
			return b.Spent
		}
	}
	t.Fatalf("account %s has no budget: %+v", as.Name, a)
	return 0
}

// kept tells whether the scheduler holds a job.
func kept(t *testing.T, c *rig.Cluster, job string) bool {
	t.Helper()
	return strings.HasPrefix(c.Shell(t, "manager", "squeue -h -o %r -j "+job+" 2>/dev/null; true"), "JobHeld")
}
