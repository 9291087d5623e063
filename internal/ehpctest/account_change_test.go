package ehpctest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
)

// onNodes tells what every node of a cluster has of an account: its uid and
// group, "gone", or "different" when they differ.
func onNodes(t *testing.T, w *World, p *Plane, id, name string) (what string) {
	t.Helper()
	for _, n := range p.Nodes(t, id) {
		plan, _ := w.Agent(n.Id).Plan()
		here := "gone"
		if i := slices.IndexFunc(plan.Accounts, func(a hpc.Account) bool { return a.Name == name }); i >= 0 {
			here = fmt.Sprint(plan.Accounts[i].UID, " ", plan.Accounts[i].Group)
		}
		if what != "" && what != here {
			return "different"
		}
		what = here
	}
	return what
}

func userNames(t *testing.T, p *Plane, id string) (names []string) {
	t.Helper()
	var a api.ListUsersResponse
	must(t, p.Do(t.Context(), &api.ListUsersRequest{ClusterId: id, PageNumber: 1, PageSize: 50}, &a))
	for _, u := range a.Users.UserInfo {
		names = append(names, u.Name)
	}
	return names
}

func TestAJobWhoseAccountIsDeletedMeanwhileIsRefused(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	w.GuardOf(id).Wrap = func(script string) (string, error) { // while the scheduler takes the job
		return script, call(t, p, "DeleteUsers", "ClusterId", id, "User.1.Name", "worker")
	}
	err := p.Do(t.Context(), job(id, "true"), &api.SubmitJobResponse{})
	if got := codeOf(t, err); got != "IncorrectCredential" || !strings.Contains(err.Error(), "worker was deleted") {
		t.Errorf("%v, want IncorrectCredential", err)
	}
	p.Until(t, "the scheduler has nothing of it", func() bool { return w.queued(t, id) == 0 })
}

func TestADeletedAccountIsGoneWithItsJobs(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	add := func(name string) {
		must(t, p.Do(t.Context(), &api.AddUsersRequest{ClusterId: id, User: []api.AddUsersRequestUser{{Name: name, Group: "users", Password: password}}}, nil))
	}
	add("another")
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: time.Hour} })
	must(t, p.Do(t.Context(), job(id, "true"), &api.SubmitJobResponse{}))
	theirs := job(id, "true")
	theirs.RunasUser = "another"
	must(t, p.Do(t.Context(), theirs, &api.SubmitJobResponse{}))

	must(t, p.Do(t.Context(), &api.DeleteUsersRequest{ClusterId: id, User: []api.DeleteUsersRequestUser{{Name: "worker"}}}, nil))
	if got := onNodes(t, w, p, id, "worker"); got != "gone" {
		t.Errorf("when the call was answered the nodes had %s", got)
	}
	if err := p.Do(t.Context(), job(id, "true"), nil); codeOf(t, err) != "IncorrectCredential" {
		t.Errorf("a job of the deleted account: %v", err)
	}
	p.Until(t, "its jobs are cancelled", func() bool {
		return !slices.ContainsFunc(p.jobs(t, id), func(j api.ListJobsJobInfo) bool { return j.Owner == "worker" && j.State != "CANCELLED" })
	})
	if i := slices.IndexFunc(p.jobs(t, id), func(j api.ListJobsJobInfo) bool { return j.Owner == "another" }); hpc.JobState(p.jobs(t, id)[i].State).Ended() {
		t.Errorf("the other account's job is %+v", p.jobs(t, id)[i])
	}
	if got := userNames(t, p, id); !slices.Equal(got, []string{"another"}) {
		t.Errorf("accounts %v", got)
	}
	add("newcomer")
	add("worker")
	if got, fresh := onNodes(t, w, p, id, "worker"), onNodes(t, w, p, id, "newcomer"); got != "20000 users" || fresh != "20002 users" {
		t.Errorf("the old name is %s, a new one is %s: a uid was not kept", got, fresh)
	}
}

func TestAnAccountChangesItsGroup(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	must(t, p.Do(t.Context(), &api.ModifyUserGroupsRequest{ClusterId: id, User: []api.ModifyUserGroupsRequestUser{{Name: "worker", Group: "wheel"}}}, nil))
	if got := onNodes(t, w, p, id, "worker"); got != "20000 wheel" {
		t.Errorf("the nodes have %s", got)
	}
	var a api.ListUsersResponse
	must(t, p.Do(t.Context(), &api.ListUsersRequest{ClusterId: id, PageNumber: 1, PageSize: 10}, &a))
	if got := a.Users.UserInfo[0].Group; got != "wheel" {
		t.Errorf("ListUsers says %s", got)
	}
}

func TestAnOldPasswordIsWrongAtOnce(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	must(t, p.Do(t.Context(), job(id, "true"), nil)) // the service remembers the password now
	const fresh = "Other-Horse-8"
	must(t, p.Do(t.Context(), &api.ModifyUserPasswordsRequest{ClusterId: id, User: []api.ModifyUserPasswordsRequestUser{{Name: "worker", Password: fresh}}}, nil))
	if err := p.Do(t.Context(), job(id, "true"), nil); codeOf(t, err) != "IncorrectCredential" {
		t.Errorf("the old password: %v", err)
	}
	q := job(id, "true")
	q.RunasUserPassword = fresh
	must(t, p.Do(t.Context(), q, nil))
}

func TestBadChangesOfAccountsChangeNothing(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	id := withAccount(t, nil, p, 0)
	hash := func() string {
		a, err := p.Store.Read().Account(t.Context(), id, "worker")
		must(t, err)
		return fmt.Sprintf("%s %s %d", a.UserGroup, a.PasswordHash, len(userNames(t, p, id)))
	}
	before := hash()
	many := url.Values{}
	for i := range 101 {
		many.Set(fmt.Sprintf("User.%d.Name", i+1), fmt.Sprintf("person%d", i))
	}
	for _, c := range []struct{ name, action, params, code, says string }{
		{"an unknown name deletes nobody", "DeleteUsers", "User.1.Name=worker&User.2.Name=nobody7", "PartFailure", "User.2.Name"},
		{"root is no account", "DeleteUsers", "User.1.Name=root", "AgentError.Account.UserNotExist", "root"},
		{"nobody at all", "DeleteUsers", "", "MissingParameter", "User"},
		{"a hundred and one names", "DeleteUsers", many.Encode(), "InvalidParams", "100"},
		{"one name twice", "DeleteUsers", "User.1.Name=worker&User.2.Name=worker", "InvalidParams", "User.2.Name"},
		{"an unknown group", "ModifyUserGroups", "User.1.Name=worker&User.1.Group=root", "InvalidParams", "User.1.Group"},
		{"a group for an unknown name", "ModifyUserGroups", "User.1.Name=worker&User.1.Group=wheel&User.2.Name=nobody7&User.2.Group=wheel", "PartFailure", "nobody7"},
		{"a password of one kind of characters", "ModifyUserPasswords", "User.1.Name=worker&User.1.Password=abcdefghij", "InvalidParams", "User.1.Password"},
		{"a password for an unknown name", "ModifyUserPasswords", "User.1.Name=worker&User.1.Password=Other-Horse-8&User.2.Name=nobody7&User.2.Password=Other-Horse-8", "PartFailure", "nobody7"},
		{"another cluster", "DeleteUsers", "ClusterId=ehpc-hz-none&User.1.Name=worker", "ClusterNotFound", "ehpc-hz-none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			params, err := url.ParseQuery(c.params)
			must(t, err)
			if !params.Has("ClusterId") {
				params.Set("ClusterId", id)
			}
			_, err = p.Call(t.Context(), c.action, params)
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want code %s and a message with %q", err, c.code, c.says)
			}
			if strings.Contains(err.Error(), "Other-Horse-8") {
				t.Error("the message holds the password")
			}
			if after := hash(); after != before {
				t.Errorf("%s became %s", before, after)
			}
		})
	}
}

func TestADeletionIsDoneOncePerToken(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	id := withAccount(t, nil, p, 0)
	gone := url.Values{"ClusterId": {id}, "User.1.Name": {"worker"}, "ClientToken": {"token-1"}}
	_, err := p.Call(t.Context(), "DeleteUsers", gone)
	must(t, err)
	must(t, p.Do(t.Context(), &api.AddUsersRequest{ClusterId: id, User: []api.AddUsersRequestUser{{Name: "worker", Group: "users", Password: password}}}, nil))
	_, err = p.Call(t.Context(), "DeleteUsers", gone)
	must(t, err)
	if _, err := p.Store.Read().Account(t.Context(), id, "worker"); err != nil {
		t.Errorf("a repeated request deleted the account that was added since: %v", err)
	}
}
