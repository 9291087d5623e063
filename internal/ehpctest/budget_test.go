package ehpctest

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/config"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
)

func (p *Plane) budgets(t *testing.T, id string) []api.ListBudgetsBudgetInfo {
	t.Helper()
	var a api.ListBudgetsResponse
	must(t, p.Do(t.Context(), &api.ListBudgetsRequest{ClusterId: id}, &a))
	if now := time.Now().UTC().Format("2006-01"); a.Month != now || a.Currency != "CNY" {
		t.Errorf("the budgets are of %s in %s", a.Month, a.Currency)
	}
	return a.Budgets.BudgetInfo
}

// untilComment waits until a job's comment has these words.
func (p *Plane) untilComment(t *testing.T, id, jobID string, words ...string) {
	t.Helper()
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("the comment of job %s is %q, want %q", jobID, last, words)
		}
	}()
	p.Until(t, "the job's comment has its reason", func() bool {
		for _, j := range p.jobs(t, id) {
			if j.Id == jobID {
				last = j.Comment
			}
		}
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(last, word) })
	})
}

// pending holds a job to waiting, for several passes of the loops.
func (p *Plane) pending(t *testing.T, id, jobID string) {
	t.Helper()
	looks := 0
	p.Until(t, "it goes on waiting", func() bool {
		for _, j := range p.jobs(t, id) {
			if j.Id == jobID && j.State != "PENDING" && j.State != "ACCEPTED" {
				t.Fatalf("job %s is %s (%s)", jobID, j.State, j.Comment)
			}
		}
		looks++
		return looks > 40
	})
}

func TestABudgetIsThereUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	id := p.Create(t, 0)
	must(t, p.Do(t.Context(), &api.SetBudgetRequest{ClusterId: id, Limit: 12.5, LimitAction: "hold new jobs"}, nil))
	if b := p.budgets(t, id); len(b) != 1 || b[0].Limit != 12.5 || b[0].LimitAction != "hold new jobs" {
		t.Errorf("the budgets are %+v", b)
	}
	must(t, p.Do(t.Context(), &api.DeleteBudgetRequest{ClusterId: id}, nil))
	if b := p.budgets(t, id); len(b) != 0 {
		t.Errorf("after its deletion there is %+v", b)
	}
}

func TestABudgetHoldsNewJobs(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, engine string) {
		w := NewWorld(provfake.Options{})
		p := Start(t, w, Options{Engine: engine})
		id := withAccount(t, w, p, 2)
		w.SchedulerOf(id).Script(func(spec hpc.JobSpec, _ string) schedfake.Outcome {
			return schedfake.Outcome{Duration: map[bool]time.Duration{true: time.Hour}[spec.Name == "long"]}
		})
		long := job(id, "./long.sh")
		long.Name = "long"
		before := p.submit(t, long)
		p.untilState(t, id, before, "RUNNING")
		must(t, call(t, p, "SetBudget", "ClusterId", id, "Limit", "0", "LimitAction", "hold new jobs"))

		one, array := job(id, "./run.sh"), job(id, "./run.sh")
		array.ArrayRequest = "1-3"
		held := []string{p.submit(t, one), p.submit(t, array)}
		for _, jobID := range held {
			p.untilComment(t, id, jobID, "held by the cluster's budget: ", " of 0.00 CNY are spent in ", "it is let go when the budget is raised")
			p.pending(t, id, jobID)
		}
		p.untilState(t, id, before, "RUNNING")
		if list := p.budgets(t, id); len(list) != 1 || list[0].ReachedTime == "" || list[0].LimitAction != "hold new jobs" || list[0].Source != "api" || !list[0].InEffect || list[0].Percent != 100 {
			t.Errorf("the budgets are %+v", list)
		}
		if !p.told(t, id, "the cluster's budget is reached", "jobs that are submitted from now on are held") {
			t.Error("the log does not tell that it is reached")
		}

		p.Until(t, "the manager's scheduler is told, and nobody else's", func() bool {
			told := 0
			for _, n := range p.rows(t, id) {
				plan, _ := w.Agent(n.ID).Plan()
				if plan.Closed != nil {
					told++
				}
				if manages := n.HasRole(hpc.RoleManager); manages != (plan.Closed != nil && plan.Closed.All) {
					return false
				}
			}
			return told == 1
		})

		// Over a restart of the service, and of the scheduler.
		p.Kill()
		p = Start(t, w, Options{Dir: p.dir})
		w.SchedulerOf(id).Crash(time.Hour)
		for _, jobID := range held {
			p.pending(t, id, jobID)
		}
		must(t, call(t, p, "SetBudget", "ClusterId", id, "Limit", "1000000", "LimitAction", "hold new jobs"))
		for _, jobID := range held {
			p.untilState(t, id, jobID, "COMPLETED")
		}
		if !p.told(t, id, "the cluster's budget is not reached any more", "let go") {
			t.Error("the log does not tell that it was raised")
		}
	})
}

func TestAHeldJobIsStoppedOrRunAgain(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{} })
	ran := p.submit(t, job(id, "./run.sh"))
	p.untilState(t, id, ran, "COMPLETED")
	must(t, call(t, p, "SetBudget", "ClusterId", id, "UserName", "worker", "Limit", "0", "LimitAction", "hold new jobs"))
	must(t, call(t, p, "RerunJobs", "ClusterId", id, "Jobs", named(ran)))
	p.untilComment(t, id, ran, "held by the budget of account worker")
	p.pending(t, id, ran)
	stopped := p.submit(t, job(id, "./run.sh"))
	must(t, call(t, p, "StopJobs", "ClusterId", id, "Jobs", named(stopped)))
	p.untilState(t, id, stopped, "CANCELLED")
	must(t, call(t, p, "DeleteBudget", "ClusterId", id, "UserName", "worker"))
	p.untilState(t, id, ran, "COMPLETED")
	if list := p.budgets(t, id); len(list) != 0 {
		t.Errorf("the budgets are %+v", list)
	}
}

// costly makes what nodes cost add up within a test.
func costly(c *config.Config) {
	c.InstanceTypes = slices.Clone(c.InstanceTypes)
	for i := range c.InstanceTypes {
		c.InstanceTypes[i].Price = 1e6
	}
}

func TestABudgetIsReachedByWhatIsSpent(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{Config: costly})
	id := withAccount(t, w, p, 1)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: time.Hour} })
	must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night"))
	must(t, call(t, p, "SetBudget", "ClusterId", id, "QueueName", "night", "Limit", "0.01"))
	must(t, call(t, p, "SetBudget", "ClusterId", id, "UserName", "worker", "Limit", "300", "LimitAction", "hold new jobs"))
	first := p.submit(t, job(id, "./run.sh"))
	p.untilState(t, id, first, "RUNNING")
	p.Until(t, "the account's budget is reached", func() bool {
		return p.told(t, id, "the budget of account worker is reached", "of 300.00 CNY")
	})
	if !p.told(t, id, "80 % of the budget of account worker") {
		t.Error("the log does not tell of 80 %")
	}
	second := p.submit(t, job(id, "./run.sh"))
	p.untilComment(t, id, second, "held by the budget of account worker", "at the latest on ")
	var cluster, queue, account api.ListBudgetsBudgetInfo
	must(t, call(t, p, "SetBudget", "ClusterId", id, "Limit", "1000000"))
	for _, b := range p.budgets(t, id) {
		switch {
		case b.UserName != "":
			account = b
		case b.QueueName != "":
			queue = b
		default:
			cluster = b
		}
	}
	if account.Spent < 300 || cluster.Spent <= account.Spent || queue.Spent != 0 || account.Percent < 100 || cluster.ReachedTime != "" || queue.LimitAction != "warn" {
		t.Errorf("spent: %+v, %+v, %+v", cluster, queue, account)
	}
	must(t, call(t, p, "SetBudget", "ClusterId", id, "UserName", "worker", "Limit", "100000000", "LimitAction", "hold new jobs"))
	p.untilState(t, id, second, "RUNNING")
}

func TestABudgetStopsGrowing(t *testing.T) {
	t.Parallel()
	_, p, id := scaled(t, 0, 0)
	must(t, call(t, p, "AddUsers", "ClusterId", id, "User.1.Name", "others", "User.1.Group", "users", "User.1.Password", password))
	must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night"))
	must(t, call(t, p, "SetBudget", "ClusterId", id, "QueueName", "night", "Limit", "0", "LimitAction", "stop growing"))
	must(t, call(t, p, "SetBudget", "ClusterId", id, "UserName", "worker", "Limit", "0", "LimitAction", "stop growing"))
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoGrow", "true", "Queues.1.QueueName", "night", "Queues.1.EnableAutoGrow", "true", "Queues.1.MinNodesInQueue", "2"))
	poor, night, other := job(id, "./run.sh"), job(id, "./run.sh"), job(id, "./run.sh")
	night.RunasUser, night.JobQueue, night.Node, other.RunasUser = "others", "night", new(2), "others"
	poorID, nightID := p.submit(t, poor), p.submit(t, night)
	p.untilComment(t, id, poorID, "no node is added for it: the budget of account worker is reached")
	p.untilComment(t, id, nightID, "no node is added for it: the budget of queue night is reached")
	p.Until(t, "the log tells why the queue does not grow", func() bool {
		return p.told(t, id, "nothing is added to queue night: the budget of queue night is reached")
	})
	p.lookedAt(t, id, 2)
	if hosts := p.added(t, id); len(hosts) != 0 {
		t.Fatalf("%v were added", hosts)
	}
	otherID := p.submit(t, other)
	p.untilState(t, id, otherID, "COMPLETED")
	p.untilState(t, id, poorID, "COMPLETED") // there is a node now
	p.pending(t, id, nightID)
	must(t, call(t, p, "DeleteBudget", "ClusterId", id, "QueueName", "night"))
	p.untilState(t, id, nightID, "COMPLETED")
	p.Until(t, "the queue has its least nodes", func() bool { return len(p.inQueue(t, id, "night")) == 2 })
}

func TestBudgetsOfTheConfiguration(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{} })
	must(t, call(t, p, "SetBudget", "ClusterId", id, "QueueName", "workq", "Limit", "7"))
	p.Kill()
	nothing, some := 0.0, 5.0
	p = Start(t, w, Options{Dir: p.dir, Config: func(c *config.Config) {
		c.Budgets = []hpc.FileBudget{{Cluster: "*", Queue: "workq", Limit: &some}, {Cluster: id, Queue: "workq", Limit: &nothing, Action: hpc.BudgetHold},
			{Cluster: "*", Queue: "none", Limit: &some}}
	}})
	p.Until(t, "it is reached", func() bool { return p.told(t, id, "the budget of queue workq is reached") })
	held := p.submit(t, job(id, "./run.sh"))
	p.untilComment(t, id, held, "held by the budget of queue workq")
	var got []string
	for _, b := range p.budgets(t, id) {
		got = append(got, fmt.Sprintf("%s %g %s %t %s", b.QueueName, b.Limit, b.Source, b.InEffect, b.Reason))
	}
	want := []string{"workq 0 configuration true ", "none 5 configuration false cluster " + id + ` has no queue "none"`, "workq 7 api false that of the configuration counts"}
	if !slices.Equal(got, want) {
		t.Errorf("the budgets are %q, want %q", got, want)
	}
	for _, action := range []string{"SetBudget", "DeleteBudget"} {
		err := call(t, p, action, "ClusterId", id, "QueueName", "workq", "Limit", "9")
		if codeOf(t, err) != "ConflictOpt" || !strings.Contains(err.Error(), "QueueName: the service's configuration has the budget of queue workq") {
			t.Errorf("%s: err = %v", action, err)
		}
	}
	p.Kill()
	p = Start(t, w, Options{Dir: p.dir})
	p.untilState(t, id, held, "COMPLETED")
}

func TestABudgetGoesWithItsQueueAndItsAccount(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night"))
	must(t, call(t, p, "SetBudget", "ClusterId", id, "QueueName", "night", "Limit", "0"))
	must(t, call(t, p, "SetBudget", "ClusterId", id, "UserName", "worker", "Limit", "0"))
	must(t, call(t, p, "DeleteQueue", "ClusterId", id, "QueueName", "night"))
	must(t, call(t, p, "DeleteUsers", "ClusterId", id, "User.1.Name", "worker"))
	must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night"))
	if list := p.budgets(t, id); len(list) != 0 {
		t.Errorf("the budgets are %+v", list)
	}
}

func TestWhatIsNoBudget(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	must(t, call(t, p, "SetBudget", "ClusterId", id, "Limit", "10"))
	before := p.dump(t)
	for _, c := range []struct{ action, pairs, code, says string }{
		{"SetBudget", "Limit=-1", "InvalidParams", "Limit"},
		{"SetBudget", "Limit=NaN", "InvalidParams", "Limit"},
		{"SetBudget", "Limit=1e30", "InvalidParams", "Limit"},
		{"SetBudget", "Limit=1000000001", "InvalidParams", "Limit"},
		{"SetBudget", "", "MissingLimit", "Limit"},
		{"SetBudget", "Limit=1&LimitAction=kill", "InvalidParams", "LimitAction"},
		{"SetBudget", "Limit=1&QueueName=none", "ObjectNotFound", "QueueName"},
		{"SetBudget", "Limit=1&UserName=nobody", "AgentError.Account.UserNotExist", "UserName"},
		{"SetBudget", "Limit=1&UserName=worker&QueueName=workq", "InvalidParams", "QueueName, UserName"},
		{"DeleteBudget", "QueueName=workq", "ObjectNotFound", "QueueName"},
		{"DeleteBudget", "UserName=worker", "ObjectNotFound", "UserName"},
		{"DeleteBudget", "UserName=worker&QueueName=workq", "InvalidParams", "QueueName, UserName"},
		{"SetBudget", "Limit=1&ClusterId=none", "ClusterNotFound", "none"},
		{"ListBudgets", "ClusterId=none", "ClusterNotFound", "none"},
	} {
		in, err := url.ParseQuery(c.pairs)
		must(t, err)
		if !in.Has("ClusterId") {
			in.Set("ClusterId", id)
		}
		if _, err := p.Call(t.Context(), c.action, in); err == nil || codeOf(t, err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s: err = %v, want %s about %s", c.action, c.pairs, err, c.code, c.says)
		}
	}
	p.unchanged(t, before)
	t.Run("a cluster has no more than its limit", func(t *testing.T) {
		must(t, p.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
			for i := range hpc.MaxBudgets - 1 {
				if err := tx.SetBudget(ctx, &store.Budget{ClusterID: id, Account: fmt.Sprintf("people%d", i), Action: hpc.BudgetWarn, Changed: time.Now()}); err != nil {
					return err
				}
			}
			return nil
		}))
		err := call(t, p, "SetBudget", "ClusterId", id, "QueueName", "workq", "Limit", "10")
		if codeOf(t, err) != "InvalidParams" || !strings.Contains(err.Error(), "QueueName: cluster "+id+" has 100 budgets, the limit is 100") {
			t.Errorf("err = %v", err)
		}
		must(t, call(t, p, "SetBudget", "ClusterId", id, "Limit", "20"))
	})
}
