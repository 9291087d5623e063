package ehpctest

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"ehpc/api"
	"ehpc/client"
	"ehpc/internal/auth"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/store"
)

// anotherKey is a client with another key of the plane's owner.
func anotherKey(t *testing.T, p *Plane, owner string) *client.Client {
	t.Helper()
	key := auth.NewKey(owner)
	must(t, p.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return tx.InsertKey(ctx, store.Key{ID: key.ID, Owner: key.Owner, Secret: key.Secret, Enabled: true})
	}))
	c, err := client.New(client.Config{Endpoint: p.URL, AccessKeyID: key.ID, AccessKeySecret: key.Secret})
	must(t, err)
	return c
}

func TestSetJobUser(t *testing.T) {
	t.Parallel()
	w, p, id := withLongJobs(t)
	must(t, p.Do(t.Context(), &api.AddUsersRequest{ClusterId: id,
		User: []api.AddUsersRequestUser{{Name: "second", Group: "users", Password: password}}}, &api.AddUsersResponse{}))
	other := withAccount(t, w, p, 1)
	set := func(t *testing.T, user string) {
		t.Helper()
		_, err := p.Call(t.Context(), "SetJobUser", url.Values{"ClusterId": {id}, "Runasuser": {user}, "RunasUserPassword": {password}})
		must(t, err)
	}
	submit := func(c *client.Client, cluster, user, pass string) (owner string, err error) {
		var a api.SubmitJobResponse
		q := &api.SubmitJobRequest{ClusterId: cluster, CommandLine: "true", RunasUser: user, RunasUserPassword: pass}
		if err := c.Do(t.Context(), q, &a); err != nil {
			return "", err
		}
		for _, j := range p.jobs(t, cluster) {
			if j.Id == a.JobId {
				return j.Owner, nil
			}
		}
		return "", nil
	}
	runsAs := func(t *testing.T, want, user, pass string) {
		t.Helper()
		if got, err := submit(p.Client, id, user, pass); err != nil || got != want {
			t.Errorf("the job is of %q, %v, want %q", got, err, want)
		}
	}
	refused := func(t *testing.T, c *client.Client, cluster, user, pass, code, says string) {
		t.Helper()
		before := p.dump(t)
		_, err := submit(c, cluster, user, pass)
		if got := codeOf(t, err); got != code || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %s and %q", err, code, says)
		}
		p.unchanged(t, before)
	}
	t.Run("before it a job must name its account", func(t *testing.T) {
		refused(t, p.Client, id, "", "", "MissingRunasUser", "SetJobUser")
		refused(t, p.Client, id, "worker", "", "MissingRunasUserPassword", "SetJobUser")
	})
	t.Run("after it jobs that name none run as the account", func(t *testing.T) {
		set(t, "worker")
		runsAs(t, "worker", "", "")
		runsAs(t, "worker", "worker", "")
		runsAs(t, "worker", "", password)
		runsAs(t, "second", "second", password)
	})
	t.Run("it is of one account, one key and one cluster", func(t *testing.T) {
		refused(t, p.Client, id, "second", "", "MissingRunasUserPassword", "RunasUserPassword")
		refused(t, anotherKey(t, p, p.Key.Owner), id, "", "", "MissingRunasUser", "RunasUser")
		refused(t, p.Client, other, "", "", "MissingRunasUser", "RunasUser")
		refused(t, p.Client, id, "", "Wrong-Horse-7", "IncorrectCredential", "worker")
	})
	t.Run("the last one counts", func(t *testing.T) {
		set(t, "second")
		runsAs(t, "second", "", "")
		set(t, "worker")
		runsAs(t, "worker", "", "")
	})
	t.Run("another password ends it", func(t *testing.T) {
		must(t, p.Do(t.Context(), &api.ModifyUserPasswordsRequest{ClusterId: id,
			User: []api.ModifyUserPasswordsRequestUser{{Name: "worker", Password: "Other-Horse-8"}}}, &api.ModifyUserPasswordsResponse{}))
		refused(t, p.Client, id, "", "", "IncorrectCredential", "SetJobUser")
	})
	t.Run("the account's deletion ends it", func(t *testing.T) {
		set(t, "second")
		must(t, p.Do(t.Context(), &api.DeleteUsersRequest{ClusterId: id, User: []api.DeleteUsersRequestUser{{Name: "second"}}}, &api.DeleteUsersResponse{}))
		refused(t, p.Client, id, "", "", "IncorrectCredential", "SetJobUser")
	})
}

func TestBadJobUsersChangeNothing(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 0)
	before := p.dump(t)
	for _, c := range []struct{ name, params, code, says string }{
		{"a wrong password", "ClusterId=" + id + "&RunasUser=worker&RunasUserPassword=Wrong-Horse-7", "IncorrectCredential", "worker"},
		{"an account that is not there", "ClusterId=" + id + "&RunasUser=nosuch&RunasUserPassword=" + password, "IncorrectCredential", "nosuch"},
		{"no account", "ClusterId=" + id + "&RunasUserPassword=" + password, "MissingRunasUser", "RunasUser"},
		{"no password", "ClusterId=" + id + "&RunasUser=worker", "MissingRunasUserPassword", "RunasUserPassword"},
		{"another cluster", "ClusterId=ehpc-hz-none&RunasUser=worker&RunasUserPassword=" + password, "ClusterNotFound", "ehpc-hz-none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			params, err := url.ParseQuery(c.params)
			must(t, err)
			_, err = p.Call(t.Context(), "SetJobUser", params)
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s and %q", err, c.code, c.says)
			}
			p.unchanged(t, before)
		})
	}
}
