package ehpctest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"ehpc/api"
	"ehpc/internal/config"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/store"
)

// scriptServer serves /setup.sh and counts how often it was asked; it is not
// there while down.
func scriptServer(t *testing.T) (address string, asked *atomic.Int64, down *atomic.Bool) {
	t.Helper()
	asked, down = new(atomic.Int64), new(atomic.Bool)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			http.Error(w, "gone", http.StatusNotFound)
			return
		}
		asked.Add(1)
		w.Write([]byte("echo prepared"))
	}))
	t.Cleanup(web.Close)
	return web.URL, asked, down
}

func local(c *config.Config) { c.InputFiles.Allow = []string{"127.0.0.0/8"} }

// askScripted asks for a cluster with a script and so many compute nodes.
func askScripted(t *testing.T, p *Plane, url string, computes int) (clusterID string) {
	t.Helper()
	one := 1
	q := &api.CreateClusterRequest{Name: "scripted", PostInstallScript: []api.CreateClusterRequestPostInstallScript{{Url: url, Args: "a 'b c'"}}}
	q.EcsOrder.Manager.Count, q.EcsOrder.Compute.Count = &one, &computes
	var a api.CreateClusterResponse
	must(t, p.Do(t.Context(), q, &a))
	return a.ClusterId
}

// prepared is how often a node's machine ran the scripts, and whether it was told
// to leave the scheduler's daemons out before.
func prepared(a *Agent) (times int, before bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.commands {
		if len(c.Files) > 0 {
			times++
		}
	}
	return times, a.prepared > 0
}

func clusterLog(t *testing.T, p *Plane, id string) string {
	t.Helper()
	rows, _, err := p.Store.Read().Logs(t.Context(), id, store.Page{})
	must(t, err)
	var b strings.Builder
	for _, l := range rows {
		b.WriteString(l.Level + " " + l.Operation + ": " + l.Message + "\n")
	}
	return b.String()
}

func TestPostInstallScripts(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{Config: local})
	web, asked, _ := scriptServer(t)
	id := askScripted(t, p, web+"/setup.sh?Signature=hunter2", 1)
	p.Until(t, "the cluster runs", func() bool { return p.Describe(t, id).Status == "running" })
	onEach := func(t *testing.T, want int) {
		t.Helper()
		for _, n := range p.Nodes(t, id) {
			if times, before := prepared(w.Agent(n.Id)); times != want || !before {
				t.Errorf("%s ran the scripts %d times, prepared before: %v", n.HostName, times, before)
			}
		}
	}
	onEach(t, 1)
	t.Run("the script and its arguments are what was asked for", func(t *testing.T) {
		a := w.Agent(p.Nodes(t, id)[0].Id)
		a.mu.Lock()
		defer a.mu.Unlock()
		c := a.commands[0]
		if string(c.Files[0].Content) != "echo prepared" || !strings.Contains(c.Content, "run 1 a 'b c'\n") {
			t.Errorf("got %+v", c)
		}
	})
	t.Run("nodes that are added later run them too, fetched once", func(t *testing.T) {
		must(t, p.Do(t.Context(), &api.AddNodesRequest{ClusterId: id, Count: 1}, &api.AddNodesResponse{}))
		p.Until(t, "the node is in service", func() bool {
			nodes := p.Nodes(t, id)
			return len(nodes) == 4 && nodes[3].Status == "running"
		})
		onEach(t, 1)
		if n := asked.Load(); n != 1 {
			t.Errorf("the script was fetched %d times", n)
		}
	})
	t.Run("the log has their output and no secret of the URL", func(t *testing.T) {
		text := clusterLog(t, p, id)
		if strings.Count(text, "ended with exit status 0") != 4 || !strings.Contains(text, "/setup.sh") || strings.Contains(text, "hunter2") {
			t.Errorf("the log:\n%s", text)
		}
	})
	t.Run("DescribeCluster shows them", func(t *testing.T) {
		info := p.Describe(t, id)
		if info.PostInstallScripts == nil || info.PostInstallScripts.PostInstallScriptInfo[0].Args != "a 'b c'" {
			t.Errorf("got %+v", info.PostInstallScripts)
		}
	})
	t.Run("a machine that is made anew runs them anew", func(t *testing.T) {
		node := p.Nodes(t, id)[2]
		old := w.Agent(node.Id)
		w.Machines.Kill(node.Id)
		p.Until(t, "the node is back", func() bool {
			a := w.Agent(node.Id)
			return a != nil && a != old && p.Nodes(t, id)[2].Status == "running"
		})
		onEach(t, 1)
	})
	t.Run("they go with their cluster", func(t *testing.T) {
		must(t, p.Do(t.Context(), &api.DeleteClusterRequest{ClusterId: id}, nil))
		p.Until(t, "the scripts are gone", func() bool {
			rows, err := p.Store.Read().PostScripts(t.Context(), id, true)
			return err == nil && len(rows) == 0
		})
	})
}

func TestACommandsResultIsForgottenByItsNode(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 0)
	var a api.InvokeShellCommandResponse
	must(t, p.Do(t.Context(), &api.InvokeShellCommandRequest{ClusterId: id, Command: "true"}, &a))
	for _, node := range a.InstanceIds.InstanceId {
		p.Until(t, "the node hears that its result was received", func() bool {
			gone := w.Agent(node).Forgotten()
			return len(gone) == 1 && gone[0] == a.CommandId
		})
	}
}

func TestACommandThatFailsHasStillBeenRun(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	id := p.Create(t, 0)
	var a api.InvokeShellCommandResponse
	must(t, p.Do(t.Context(), &api.InvokeShellCommandRequest{ClusterId: id, Command: "exit 3"}, &a))
	p.Until(t, "it has ended", func() bool {
		var r api.ListInvocationResultsResponse
		must(t, p.Do(t.Context(), &api.ListInvocationResultsRequest{ClusterId: id, CommandId: a.CommandId}, &r))
		for _, result := range r.InvocationResults.InvocationResult {
			if result.InvokeRecordStatus == "Running" {
				return false
			}
			if result.ExitCode != 3 || !result.Success || result.InvokeRecordStatus != "Finished" {
				t.Errorf("got %+v", result)
			}
		}
		return true
	})
}

func TestWithoutScriptsNothingIsPrepared(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 1)
	for _, n := range p.Nodes(t, id) {
		if times, before := prepared(w.Agent(n.Id)); times != 0 || before {
			t.Errorf("%s ran scripts %d times, prepared: %v", n.HostName, times, before)
		}
	}
	text, err := json.Marshal(p.Describe(t, id))
	must(t, err)
	if strings.Contains(string(text), "PostInstallScripts") {
		t.Errorf("DescribeCluster answers %s", text)
	}
}

func TestAServerThatDiesWhileScriptsRunDoesNotRunThemAgain(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	dir := t.TempDir()
	web, _, _ := scriptServer(t)
	w.HoldScripts(true)
	p := Start(t, w, Options{Dir: dir, Config: local})
	id := askScripted(t, p, web+"/setup.sh", 1)
	p.Until(t, "scripts run on every node", func() bool {
		for _, n := range p.Nodes(t, id) {
			a := w.Agent(n.Id)
			if a == nil {
				return false
			}
			if times, _ := prepared(a); times == 0 {
				return false
			}
		}
		return true
	})
	p.Kill()
	w.HoldScripts(false)
	p = Start(t, w, Options{Dir: dir, Config: local})
	p.Until(t, "the cluster runs", func() bool {
		c, err := p.Store.Read().Cluster(t.Context(), id)
		must(t, err)
		return c.Status == hpc.ClusterRunning
	})
	nodes, err := p.Store.Read().Nodes(t.Context(), id)
	must(t, err)
	for _, n := range nodes {
		if times, _ := prepared(w.Agent(n.ID)); times != 1 {
			t.Errorf("%s ran the scripts %d times", n.Hostname, times)
		}
	}
}

func TestAScriptThatFailsPutsItsNodeIntoException(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{Config: local})
	web, _, _ := scriptServer(t)
	w.FailScripts(true)
	id := askScripted(t, p, web+"/setup.sh", 0)
	p.Until(t, "the cluster is in exception", func() bool { return p.Describe(t, id).Status == "exception" })
	if why := p.Describe(t, id).ErrorMessage; !strings.Contains(why, "exit status 3") || !strings.Contains(why, "no such package") {
		t.Errorf("the reason is %q", why)
	}
	for _, n := range p.Nodes(t, id) {
		a := w.Agent(n.Id)
		p.Until(t, "the node is in exception", func() bool { return p.Nodes(t, id)[0].Status == "exception" })
		if times, _ := prepared(a); times > 1 {
			t.Errorf("%s ran the scripts %d times", n.HostName, times)
		}
	}
}

func TestAScriptThatIsNotThereIsAskedForUntilItIs(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{Config: local})
	web, _, down := scriptServer(t)
	down.Store(true)
	id := askScripted(t, p, web+"/setup.sh", 0)
	p.Until(t, "the cluster is in exception", func() bool { return p.Describe(t, id).Status == "exception" })
	if why := p.Describe(t, id).ErrorMessage; !strings.Contains(why, "cannot fetch post-install script 1") || !strings.Contains(why, "404") {
		t.Errorf("the reason is %q", why)
	}
	down.Store(false)
	p.Until(t, "the cluster runs", func() bool { return p.Describe(t, id).Status == "running" })
}

func TestBadLoginsAndScriptsCreateNothing(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	for _, c := range []struct{ name, params, says string }{
		{"a script that is no URL", "PostInstallScript.1.Url=/opt/x.sh", "PostInstallScript.1.Url"},
		{"a script of another scheme", "PostInstallScript.1.Url=http://a/x.sh&PostInstallScript.2.Url=file:///etc/x", "PostInstallScript.2.Url"},
		{"arguments without a script", "PostInstallScript.1.Args=x", "PostInstallScript.1.Url"},
		{"arguments of several lines", "PostInstallScript.1.Url=http://a/x.sh&PostInstallScript.1.Args=a%0Ab", "PostInstallScript.1.Args"},
		{"an unknown key pair", "KeyPairName=none", "KeyPairName"},
		{"a password of one kind of characters", "Password=abcdefghij", "Password"},
		{"a password with a space", "Password=Right+Horse-7", "Password"},
		{"a password and a key pair", "Password=Right-Horse-7&KeyPairName=ops", "Password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			params, err := url.ParseQuery(c.params + "&Name=new")
			must(t, err)
			_, err = p.Call(t.Context(), "CreateCluster", params)
			if got := codeOf(t, err); got != "InvalidParams" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want InvalidParams and a message with %q", err, c.says)
			}
			if strings.Contains(err.Error(), "abcdefghij") {
				t.Error("the message holds the password")
			}
		})
	}
	if _, n, err := p.Store.Read().Clusters(t.Context(), "", store.Page{Number: 1, Size: 1}); err != nil || n != 0 {
		t.Errorf("%d clusters, %v", n, err)
	}
}

func TestRootsLoginReachesLoginNodesAlone(t *testing.T) {
	t.Parallel()
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPFmMnsVAEh1gHjdm4QTIPXiPPhFnJEVhEhmf/rPBcsu"
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{Config: func(c *config.Config) { c.KeyPairs = map[string]string{"ops": key} }})
	for name, c := range map[string]struct {
		ask  func(*api.CreateClusterRequest)
		good func(hpc.RootLogin) bool
	}{
		"a password is kept as a hash": {func(q *api.CreateClusterRequest) { q.Password = password },
			func(r hpc.RootLogin) bool { return strings.HasPrefix(r.PasswordHash, "$y$") && r.Key == "" }},
		"a key pair is its public key": {func(q *api.CreateClusterRequest) { q.KeyPairName = "ops" },
			func(r hpc.RootLogin) bool { return r.PasswordHash == "" && r.Key == key }},
	} {
		t.Run(name, func(t *testing.T) {
			one := 1
			q := &api.CreateClusterRequest{Name: "rooted"}
			q.EcsOrder.Manager.Count, q.EcsOrder.Compute.Count = &one, &one
			c.ask(q)
			var a api.CreateClusterResponse
			must(t, p.Do(t.Context(), q, &a))
			p.Until(t, "the cluster runs", func() bool { return p.Describe(t, a.ClusterId).Status == "running" })
			for _, n := range p.Nodes(t, a.ClusterId) {
				plan, _ := w.Agent(n.Id).Plan()
				if login := plan.Self.HasRole(hpc.RoleLogin); login && !c.good(plan.Root) || !login && plan.Root.Allowed() || plan.Secrets.Root.Allowed() {
					t.Errorf("%s has %+v, %+v", n.HostName, plan.Root, plan.Secrets.Root)
				}
				if len(plan.SSH.HostKey) == 0 || len(plan.SSH.HostCert) == 0 {
					t.Errorf("%s has no host key", n.HostName)
				}
			}
			row, err := p.Store.Read().Cluster(t.Context(), a.ClusterId)
			must(t, err)
			text, err := json.Marshal(row)
			must(t, err)
			if strings.Contains(string(text), password) || strings.Contains(string(text), "$y$") {
				t.Errorf("the row shows it: %s", text)
			}
		})
	}
}

func TestNodesSayThatTheyWaitForScripts(t *testing.T) {
	t.Parallel()
	url, _, _ := scriptServer(t)
	w := NewWorld(provfake.Options{})
	w.HoldScripts(true)
	p := Start(t, w, Options{Config: local})
	id := askScripted(t, p, url+"/setup.sh", 1)
	waitFor := func(what string) func() bool {
		return func() bool {
			var a api.ListNodesResponse
			must(t, p.Do(t.Context(), &api.ListNodesRequest{ClusterId: id, PageNumber: 1, PageSize: 50}, &a))
			for i, n := range a.Nodes.NodeInfo {
				if n.WaitsFor != what || p.Nodes(t, id)[i].WaitsFor != what {
					return false
				}
			}
			return len(a.Nodes.NodeInfo) > 0
		}
	}
	p.Until(t, "all nodes say so", waitFor("scripts"))
	w.HoldScripts(false)
	p.Until(t, "none says so any more", waitFor(""))
}

func TestAPostInstallScriptWithDOSLineEndsIsNotRun(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("#!/bin/sh\r\ntrue\r\n")) }))
	t.Cleanup(web.Close)
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{Config: local})
	id := askScripted(t, p, web.URL+"/setup.sh", 0)
	p.Until(t, "the cluster says why", func() bool {
		var a api.DescribeClusterResponse
		must(t, p.Do(t.Context(), &api.DescribeClusterRequest{ClusterId: id}, &a))
		return strings.Contains(a.ClusterInfo.ErrorMessage, "its lines end as DOS has them (CRLF)")
	})
	for _, n := range p.Nodes(t, id) {
		if times, _ := prepared(w.Agent(n.Id)); times > 0 {
			t.Errorf("node %s ran it", n.HostName)
		}
	}
}
