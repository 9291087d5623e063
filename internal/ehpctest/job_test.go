package ehpctest

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/action"
	"ehpc/internal/auth"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/scheduler"
	schedfake "ehpc/internal/scheduler/fake"
)

const password = "Correct-Horse-7"

// withAccount is a running cluster with the account "worker".
func withAccount(t *testing.T, w *World, p *Plane, computes int) (id string) {
	t.Helper()
	id = p.Create(t, computes)
	q := &api.AddUsersRequest{ClusterId: id, User: []api.AddUsersRequestUser{{Name: "worker", Group: "users", Password: password}}}
	must(t, p.Do(t.Context(), q, &api.AddUsersResponse{}))
	return id
}

func job(id, commandLine string) *api.SubmitJobRequest {
	return &api.SubmitJobRequest{ClusterId: id, CommandLine: commandLine, RunasUser: "worker", RunasUserPassword: password}
}

func (p *Plane) jobs(t *testing.T, id string) []api.ListJobsJobInfo {
	t.Helper()
	var a api.ListJobsResponse
	must(t, p.Do(t.Context(), &api.ListJobsRequest{ClusterId: id, PageNumber: 1, PageSize: 50}, &a))
	return a.Jobs.JobInfo
}

func TestAJobRunsToItsEnd(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 2)
	for _, c := range []struct {
		name    string
		outcome schedfake.Outcome
		state   string
		comment string
	}{
		{"a job that ends well is completed", schedfake.Outcome{}, "COMPLETED", ""},
		{"a job that fails tells its exit status", schedfake.Outcome{ExitCode: 7}, "FAILED", "exit status 7"},
		{"a job without its directory tells what is missing", schedfake.Outcome{ExitCode: hpc.ExitNotLaunched}, "FAILED", "exit status 181: the job could not be started; its working directory, or the directory of its output, is missing or closed to the account"},
		{"a job over its walltime is timed out", schedfake.Outcome{State: hpc.JobTimeout}, "TIMEOUT", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return c.outcome })
			var a api.SubmitJobResponse
			must(t, p.Do(t.Context(), job(id, "./run.sh"), &a))
			var got api.ListJobsJobInfo
			p.Until(t, "the job has ended", func() bool { got = p.jobs(t, id)[0]; return got.State == c.state })
			if got.Id != a.JobId || got.Owner != "worker" || got.Comment != c.comment || got.StartTime == "" {
				t.Errorf("job %+v, want id %s and comment %q", got, a.JobId, c.comment)
			}
		})
	}
}

func TestAnArrayIsOneJob(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 2)
	w.SchedulerOf(id).Script(func(_ hpc.JobSpec, task string) schedfake.Outcome {
		n, _ := strconv.Atoi(task)
		return schedfake.Outcome{ExitCode: map[bool]int{true: 3}[n == 5]}
	})
	q := job(id, "./task.sh")
	q.ArrayRequest = "1-10:2"
	must(t, p.Do(t.Context(), q, &api.SubmitJobResponse{}))
	p.Until(t, "the array has ended as its worst task did", func() bool {
		jobs := p.jobs(t, id)
		return len(jobs) == 1 && jobs[0].State == "FAILED"
	})
	if got := p.jobs(t, id)[0]; got.ArrayRequest != "1-10:2" || got.Comment != "exit status 3" {
		t.Errorf("job %+v", got)
	}
}

func TestAnAnswerWithAnErrorIsTheTruth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fail func(*schedfake.Fake)
		code string
	}{
		{"the scheduler refused", func(f *schedfake.Fake) { f.Fail("Submit", scheduler.ErrRejected) }, "AgentError.Job.SubmitFailure"},
		{"the scheduler took it but its answer was lost", func(f *schedfake.Fake) {
			for range 4 { // as often as the client tries
				f.FailAfter("Submit", scheduler.ErrUnavailable)
			}
		}, "ServiceUnavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := NewWorld(provfake.Options{})
			p := Start(t, w, Options{})
			id := withAccount(t, w, p, 1)
			ran := false
			w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { ran = true; return schedfake.Outcome{} })
			c.fail(w.SchedulerOf(id))
			err := p.Do(t.Context(), job(id, "./run.sh"), &api.SubmitJobResponse{})
			if got := codeOf(t, err); got != c.code {
				t.Errorf("code %s, want %s", got, c.code)
			}
			p.Until(t, "the scheduler holds nothing of it", func() bool {
				seen, err := w.SchedulerOf(id).Observe(t.Context(), "")
				return err == nil && len(seen.Queue) == 0
			})
			if jobs := p.jobs(t, id); len(jobs) != 0 || ran {
				t.Errorf("jobs %v, ran %v, want nothing", jobs, ran)
			}
		})
	}
}

func TestAJobThatWasCommittedIsReleasedLater(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	w.SchedulerOf(id).Fail("Release", scheduler.ErrUnavailable)
	must(t, p.Do(t.Context(), job(id, "./run.sh"), &api.SubmitJobResponse{}))
	p.Until(t, "the job has ended", func() bool { return p.jobs(t, id)[0].State == "COMPLETED" })
}

// TestASubmissionIsNoSightAfterIt: a controller that starts anew before an id is
// committed may have lost the job.
func TestASubmissionIsNoSightAfterIt(t *testing.T) {
	t.Parallel()
	w, dir := NewWorld(provfake.Options{}), t.TempDir()
	p := Start(t, w, Options{Dir: dir})
	id := withAccount(t, w, p, 1)
	p.Kill()
	p = Start(t, w, Options{Dir: dir, Paused: true})
	name := submitted(t, p, job(id, "true"))
	rows, err := p.Store.Read().JobsOfPublic(t.Context(), id, []string{name})
	must(t, err)
	seen, err := w.SchedulerOf(id).Observe(t.Context(), "")
	must(t, err)
	if sight, taken := rows[0].Sight, seen.Queue[0].Submit; sight.IsZero() || sight.After(taken) {
		t.Errorf("the scheduler took the job at %v, and its row says that it had it at %v", taken, sight)
	}
}

func TestTheSameClientTokenChangesNothingTwice(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	q := url.Values{"Name": {"twice"}, "ClientToken": {"token-1"}, "EcsOrder.Manager.Count": {"1"}}
	first, err := p.Call(t.Context(), "CreateCluster", q)
	must(t, err)
	again, err := p.Call(t.Context(), "CreateCluster", q)
	must(t, err)
	if idIn(t, first) != idIn(t, again) {
		t.Errorf("first %s, again %s, want the same cluster", first, again)
	}
	q.Set("Name", "thrice")
	_, err = p.Call(t.Context(), "CreateCluster", q)
	if got := codeOf(t, err); got != "IdempotentParameterMismatch" {
		t.Errorf("code %s with other parameters", got)
	}
	var a api.ListClustersResponse
	must(t, p.Do(t.Context(), &api.ListClustersRequest{PageNumber: 1, PageSize: 10}, &a))
	if a.TotalCount != 1 {
		t.Errorf("%d clusters, want 1", a.TotalCount)
	}
}

func idIn(t *testing.T, answer []byte) string {
	t.Helper()
	_, rest, _ := strings.Cut(string(answer), `"ClusterId":"`)
	id, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no ClusterId in %s", answer)
	}
	return id
}

func TestACommandRunsOnEveryNode(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 2)
	var a api.InvokeShellCommandResponse
	must(t, p.Do(t.Context(), &api.InvokeShellCommandRequest{ClusterId: id, Command: "uptime", Timeout: 60}, &a))
	if len(a.InstanceIds.InstanceId) != 4 {
		t.Fatalf("started on %v, want 4 nodes", a.InstanceIds.InstanceId)
	}
	var status api.ListInvocationStatusResponse
	p.Until(t, "the command is done", func() bool {
		must(t, p.Do(t.Context(), &api.ListInvocationStatusRequest{ClusterId: id, CommandId: a.CommandId}, &status))
		return status.InvokeStatus == "Finished"
	})
	var results api.ListInvocationResultsResponse
	must(t, p.Do(t.Context(), &api.ListInvocationResultsRequest{ClusterId: id, CommandId: a.CommandId, PageNumber: 1, PageSize: 10}, &results))
	if results.TotalCount != 4 || len(results.InvocationResults.InvocationResult) != 4 {
		t.Errorf("results of 4 nodes: %+v", results)
	}
	for _, r := range results.InvocationResults.InvocationResult {
		if !r.Success || !strings.HasSuffix(r.Message, ": uptime") {
			t.Errorf("result %+v", r)
		}
	}
	var commands api.ListCommandsResponse
	must(t, p.Do(t.Context(), &api.ListCommandsRequest{ClusterId: id}, &commands))
	if c := commands.Commands.Command; len(c) != 1 || c[0].CommandId != a.CommandId || c[0].CommandContent != "uptime" || c[0].Timeout != 60 {
		t.Errorf("the commands are %+v", c)
	}
}

func TestACommandIsNotRunTwiceOnANodeMadeAnew(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 1)
	nodes := p.Nodes(t, id)
	last := nodes[len(nodes)-1]
	var a api.InvokeShellCommandResponse
	must(t, p.Do(t.Context(), &api.InvokeShellCommandRequest{ClusterId: id, Command: "date", Timeout: 60,
		Instance: []api.InvokeShellCommandRequestInstance{{Id: last.Id}}}, &a))
	w.Machines.Kill(last.Id)
	var status api.ListInvocationStatusResponse
	p.Until(t, "the command is settled", func() bool {
		must(t, p.Do(t.Context(), &api.ListInvocationStatusRequest{ClusterId: id, CommandId: a.CommandId}, &status))
		return status.InvokeStatus != "Running"
	})
}

func TestAccountsReachEveryNode(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 2)
	has := func(nodeID string) bool {
		plan, _ := w.Agent(nodeID).Plan()
		return len(plan.Accounts) == 1 && plan.Accounts[0].Name == "worker" && plan.Accounts[0].UID >= hpc.FirstUID
	}
	begun := time.Now()
	for _, n := range p.Nodes(t, id) {
		p.Until(t, n.HostName+" has the account", func() bool { return has(n.Id) })
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("took %s, want at most 2 s", took)
	}
}

var errDisk = errors.New("disk full")

func TestAPlanThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 1)
	nodes := p.Nodes(t, id)
	w.Agent(nodes[1].Id).FailApply(errDisk)
	must(t, p.Do(t.Context(), &api.AddUsersRequest{ClusterId: id,
		User: []api.AddUsersRequestUser{{Name: "someone", Group: "wheel", Password: password}}}, &api.AddUsersResponse{}))
	p.Until(t, "the node has the account after all", func() bool {
		plan, _ := w.Agent(nodes[1].Id).Plan()
		return len(plan.Accounts) == 1
	})
}

func TestGuessingAPasswordIsSlowedDown(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	guess := func(key string) error {
		q := job(id, "true")
		q.RunasUserPassword = "Wrong-Horse-7"
		_, err := p.Service.SubmitJob(action.WithCall(t.Context(), action.Call{AccessKey: key, Owner: p.Key.Owner}), q)
		return err
	}
	var slow *auth.TooManyWrong
	for i := 0; !errors.As(guess("one"), &slow); i++ {
		if i > 5 {
			t.Fatal("six wrong passwords were checked without a delay")
		}
	}
	if err := guess("another"); !api.IncorrectCredential.Is(err) {
		t.Errorf("another key is slowed down too: %v", err)
	}
}
