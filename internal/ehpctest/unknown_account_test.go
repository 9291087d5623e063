package ehpctest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/action"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
)

func addUser(t *testing.T, p *Plane, id, name, group string) {
	t.Helper()
	must(t, p.Do(t.Context(), &api.AddUsersRequest{ClusterId: id,
		User: []api.AddUsersRequestUser{{Name: name, Group: group, Password: password}}}, nil))
}

// once is the context of a request that no client repeats.
func (p *Plane) once(t *testing.T, name string) context.Context {
	return action.WithCall(t.Context(), action.Call{Action: name, AccessKey: p.Key.ID, Owner: p.Key.Owner})
}

// ofCode tells whether err is one that the API answers with the code.
func ofCode(err error, code api.Code) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Code == code
}

// refuseAccounts has a node of the cluster learn of no account any more.
func (p *Plane) refuseAccounts(t *testing.T, w *World, id, host string) *Agent {
	t.Helper()
	a := w.agentOf(t, p, id, host)
	a.RefuseAccounts(errors.New("the disk is full"))
	return a
}

func TestNothingIsDoneAsAnAccountThatTheNodeDoesNotKnow(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	must(t, p.Do(t.Context(), job(id, "true"), nil))
	manager := p.refuseAccounts(t, w, id, "manager")
	addUser(t, p, id, "newcomer", "users")
	newcomers := job(id, "true")
	newcomers.RunasUser = "newcomer"
	file := &api.CreateJobFileRequest{ClusterId: id, TargetFile: "x", RunasUser: "newcomer", RunasUserPassword: password, Content: "x"}
	for name, try := range map[string]func() error{
		"a job is refused": func() error {
			_, err := p.Service.SubmitJob(p.once(t, "SubmitJob"), newcomers)
			return err
		},
		"a file is refused": func() error {
			_, err := p.Service.CreateJobFile(p.once(t, "CreateJobFile"), file)
			return err
		},
	} {
		t.Run(name+", to be tried again", func(t *testing.T) {
			if err := try(); !ofCode(err, api.ServiceUnavailable) || !strings.Contains(err.Error(), "; try again") {
				t.Errorf("%v, want ServiceUnavailable and to try again", err)
			}
		})
	}
	t.Run("what a node knows goes on", func(t *testing.T) {
		must(t, p.Do(t.Context(), job(id, "true"), nil))
	})
	t.Run("once it knows the account all is done", func(t *testing.T) {
		manager.RefuseAccounts(nil)
		p.untilState(t, id, submitted(t, p, newcomers), "COMPLETED")
		must(t, p.Do(t.Context(), file, nil))
	})
}

func TestAJobOfAnAccountThatWasAddedWhileTheManagerHungRunsAsThatAccount(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 1)
	manager := w.agentOf(t, p, id, "manager")
	manager.Stop(true)
	addUser(t, p, id, "worker", "users")
	if plan, _ := manager.Plan(); len(plan.Accounts) > 0 {
		t.Fatalf("a stopped agent knows %v", plan.Accounts)
	}
	manager.Stop(false)
	name := submitted(t, p, job(id, "true"))
	if j := p.untilState(t, id, name, "COMPLETED"); j.Owner != "worker" {
		t.Errorf("it ran as %s", j.Owner)
	}
}

func TestAJobBeginsOnceItsNodeKnowsItsAccount(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	var mu sync.Mutex
	var ended []string // tokens of the jobs that ran
	w.OnEnd(id, func(run hpc.Run) {
		mu.Lock()
		defer mu.Unlock()
		ended = append(ended, run.Token)
	})
	node := p.refuseAccounts(t, w, id, "compute000")
	addUser(t, p, id, "newcomer", "users")
	newcomers := job(id, "true")
	newcomers.RunasUser, newcomers.Name = "newcomer", "newcomers"
	early := submitted(t, p, newcomers)
	p.untilState(t, id, early, "RUNNING")
	p.untilState(t, id, submitted(t, p, job(id, "true")), "COMPLETED") // what the node knows goes on
	mu.Lock()
	ran := len(ended)
	mu.Unlock()
	if ran != 1 {
		t.Errorf("%d jobs have ended, want that of the known account", ran)
	}
	node.RefuseAccounts(nil)
	p.untilState(t, id, early, "COMPLETED")
	n, err := p.Store.Read().NodesNamed(t.Context(), id, []string{"compute000"})
	must(t, err)
	if len(n) != 1 || n[0].Health.InRow != 0 || len(n[0].Health.Failures) != 0 {
		t.Errorf("against the node counts %+v", n)
	}
}

func TestANodeThatHangsHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 2)
	for _, host := range []string{"manager", "compute000"} {
		a := w.agentOf(t, p, id, host)
		a.Stop(true)
		defer a.Stop(false)
	}
	addUser(t, p, id, "worker", "users")
	addUser(t, p, id, "another", "users") // while the nodes are still being told of the first
	plan, _ := w.agentOf(t, p, id, "compute001").Plan()
	if len(plan.Accounts) != 2 {
		t.Errorf("the node that runs knows %v", plan.Accounts)
	}
}

func TestAccountsDoNotWaitForWhatIsSlow(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 1)
	w.Silence(id) // a controller that is being started anew
	manager := w.agentOf(t, p, id, "manager")
	release := manager.HoldApply()
	defer release()
	must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night")) // its plan does not come to an end
	addUser(t, p, id, "worker", "users")
	if got := onNodes(t, w, p, id, "worker"); got != "20000 users" {
		t.Errorf("when the call was answered the nodes had %s", got)
	}
}

func TestAJobThatTheSchedulerTookForAnothersIsSubmittedAgain(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	s := w.SchedulerOf(id)
	ran := map[string]int{} // under the world's lock
	w.OnEnd(id, func(run hpc.Run) { ran[run.Token]++ })
	s.Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: 20 * time.Millisecond} })
	t.Run("and runs once as its account", func(t *testing.T) {
		s.Mistake(1, 99)
		name := submitted(t, p, job(id, "true"))
		p.untilState(t, id, name, "COMPLETED")
		if !p.told(t, id, "job "+name, "uid 99", "worker (uid 20000)", "submitted again") {
			t.Error("the cluster's log does not tell")
		}
		p.Until(t, "nothing of it is left in the queue", func() bool { return w.queued(t, id) == 0 })
		w.mu.Lock()
		defer w.mu.Unlock()
		for token, times := range ran {
			if times != 1 {
				t.Errorf("the job of %s ran %d times", token, times)
			}
		}
	})
	t.Run("and has failed where it is taken so again and again", func(t *testing.T) {
		s.Mistake(100, 99)
		defer s.Mistake(0, 0)
		name := submitted(t, p, job(id, "true"))
		if j := p.untilState(t, id, name, "FAILED"); !strings.Contains(j.Comment, "another account") {
			t.Errorf("its comment is %q", j.Comment)
		}
		p.Until(t, "nothing of it is left in the queue", func() bool { return w.queued(t, id) == 0 })
	})
}

func TestAWithdrawnRightThatIsNotInForceIsTold(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 1)
	addUser(t, p, id, "worker", "wheel")
	node := p.refuseAccounts(t, w, id, "compute000")
	ctx := action.WithCall(t.Context(), action.Call{Action: "ModifyUserGroups", AccessKey: p.Key.ID, Owner: p.Key.Owner, ClientToken: "token-1"})
	moved := &api.ModifyUserGroupsRequest{ClusterId: id, User: []api.ModifyUserGroupsRequestUser{{Name: "worker", Group: "users"}}}
	move := func() error {
		_, err := p.Service.ModifyUserGroups(ctx, moved)
		return err
	}
	t.Run("in the answer, with the node", func(t *testing.T) {
		for range 2 { // a repeated request hears the same
			err := move()
			if !ofCode(err, api.ServiceUnavailable) || !strings.Contains(err.Error(), "compute000") || strings.Contains(err.Error(), "manager") || !strings.Contains(err.Error(), "; try again") {
				t.Errorf("%v", err)
			}
		}
	})
	t.Run("in the cluster's log, once", func(t *testing.T) {
		p.Until(t, "it is told", func() bool { return p.told(t, id, "worker moved to group users", "not in force yet on compute000") })
		if n := p.lines(t, id, "not in force yet"); n != 1 {
			t.Errorf("%d lines", n)
		}
	})
	t.Run("of a deleted account too, whoever asks again", func(t *testing.T) {
		gone := &api.DeleteUsersRequest{ClusterId: id, User: []api.DeleteUsersRequestUser{{Name: "worker"}}}
		for range 2 {
			if _, err := p.Service.DeleteUsers(p.once(t, "DeleteUsers"), gone); !ofCode(err, api.ServiceUnavailable) || !strings.Contains(err.Error(), "compute000") {
				t.Errorf("%v", err)
			}
		}
		if names := userNames(t, p, id); len(names) > 0 {
			t.Errorf("accounts are %v", names)
		}
		p.Until(t, "it is told", func() bool { return p.told(t, id, "worker deleted", "not in force yet on compute000") })
	})
	t.Run("and so is when it is in force", func(t *testing.T) {
		node.RefuseAccounts(nil)
		p.Until(t, "it is told", func() bool {
			return p.told(t, id, "worker moved to group users", "in force now on compute000") && p.told(t, id, "worker deleted", "in force now on compute000")
		})
		must(t, move())
		late, err := p.Store.Read().LateAccounts(t.Context(), id)
		must(t, err)
		if len(late) > 0 {
			t.Errorf("%d rows are left", len(late))
		}
	})
	t.Run("a right that is given is no matter of it", func(t *testing.T) {
		addUser(t, p, id, "another", "users")
		node.RefuseAccounts(errors.New("the disk is full"))
		_, err := p.Service.ModifyUserGroups(p.once(t, "ModifyUserGroups"), &api.ModifyUserGroupsRequest{ClusterId: id,
			User: []api.ModifyUserGroupsRequestUser{{Name: "another", Group: "wheel"}}})
		must(t, err)
	})
}

func TestANodeThatIsAwayIsToldWhenItIsBack(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	node := p.node(t, id, "compute000").Id
	w.Mute(node, true)
	_, err := p.Service.DeleteUsers(p.once(t, "DeleteUsers"), &api.DeleteUsersRequest{ClusterId: id, User: []api.DeleteUsersRequestUser{{Name: "worker"}}})
	if !ofCode(err, api.ServiceUnavailable) || !strings.Contains(err.Error(), "compute000") {
		t.Errorf("%v", err)
	}
	w.Mute(node, false)
	p.Until(t, "it knows the account no more", func() bool {
		plan, _ := w.Agent(node).Plan()
		return !slices.ContainsFunc(plan.Accounts, func(a hpc.Account) bool { return a.Name == "worker" })
	})
}

func TestAServerThatIsStartedAnewTellsTheNodesWhatItMissed(t *testing.T) {
	t.Parallel()
	w, dir := NewWorld(provfake.Options{}), t.TempDir()
	p := Start(t, w, Options{Dir: dir})
	id := withAccount(t, w, p, 1)
	p.Kill()
	still := Start(t, w, Options{Dir: dir, Paused: true}) // it decides, and tells nobody
	must(t, still.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
		a, err := tx.Account(ctx, id, "worker")
		if err != nil {
			return err
		}
		a.UserGroup = "wheel"
		return tx.SaveAccount(ctx, a)
	}))
	still.Kill()
	again := Start(t, w, Options{Dir: dir})
	again.Client = clientOf(t, again.URL, p.Key)
	again.Until(t, "the nodes know", func() bool { return onNodes(t, w, again, id, "worker") == "20000 wheel" })
}
