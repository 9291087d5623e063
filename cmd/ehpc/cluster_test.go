package main

import (
	"encoding/json"
	"strings"
	"testing"

	"ehpc/api"
)

func TestClusterCreate(t *testing.T) {
	t.Parallel()
	created := api.CreateClusterResponse{RequestId: "R", ClusterId: "ehpc-hz-1"}

	t.Run("asks for what the flags say and leaves the rest to the service", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"CreateCluster": {created}})
		s.run("", nil, "cluster", "create", "lab", "--compute", "2", "--login", "0").want(t, 0, "cluster lab (ehpc-hz-1) is being made", "")
		in := s.request("CreateCluster")
		for name, want := range map[string]string{"Name": "lab", "EcsOrder.Compute.Count": "2", "EcsOrder.Login.Count": "0", "DeployMode": "Simple"} {
			if got := in.Get(name); got != want {
				t.Errorf("%s is %q, expected %q", name, got, want)
			}
		}
		if in.Has("OsTag") || in.Has("EcsOrder.Compute.InstanceType") {
			t.Errorf("sent what was not given: %v", in)
		}
	})

	t.Run("prints the id alone for scripts", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"CreateCluster": {created}})
		if got := s.run("", nil, "cluster", "create", "lab", "-o", "id"); got.out != "ehpc-hz-1\n" {
			t.Errorf("printed %q", got.out)
		}
	})

	t.Run("shows each new state of the nodes once while it waits", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{
			"CreateCluster":   {created},
			"DescribeCluster": {cluster("creating", ""), cluster("creating", ""), cluster("init", ""), cluster("running", "")},
			"ListNodes": {
				nodes("manager init", "login0 uninit"), nodes("manager init", "login0 uninit"),
				nodes("manager running", "login0 init"), nodes("manager running", "login0 running"),
			},
		})
		got := s.run("", nil, "cluster", "create", "lab", "--wait")
		got.want(t, 0, "cluster lab (ehpc-hz-1) is running, after", "running   manager running, login0 running")
		if n := strings.Count(got.err, "\n"); n != 3 {
			t.Errorf("%d lines, expected one for each of 3 states:\n%s", n, got.err)
		}
	})

	t.Run("fails with the cluster's own message when it cannot be made", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{
			"CreateCluster":   {created},
			"DescribeCluster": {cluster("exception", "compute000: no capacity")},
			"ListNodes":       {nodes("manager exception")},
		})
		s.run("", nil, "cluster", "create", "lab", "--wait").want(t, 1, "", "compute000: no capacity; see: ehpc cluster logs lab")
	})

	t.Run("waits no longer than it was told", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{
			"CreateCluster":   {created},
			"DescribeCluster": {cluster("creating", "")},
			"ListNodes":       {nodes("manager init")},
		})
		s.run("", nil, "cluster", "create", "lab", "--wait", "--timeout", "50ms").want(t, exitTimeout, "", "cannot wait for cluster lab: it was not over within 50ms\n")
	})

	t.Run("names the code and the request of a refusal", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"CreateCluster": {refusal{api.InvalidClusterStatus, "too many"}}})
		s.run("", nil, "cluster", "create", "lab").want(t, exitRefused, "", "ehpc: cannot create cluster lab: too many (InvalidClusterStatus, request REQ-1)\n  see how it is")
	})
}

func TestRefusalsAreNotToldTwice(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{"CreateCluster": {refusal{api.TooManyNodes, "cannot make 9 nodes: no capacity."}}})
	if got := s.run("", nil, "cluster", "create", "lab"); got.err != "ehpc: cannot make 9 nodes: no capacity (TooManyNodes, request REQ-1)\n" {
		t.Errorf("printed %q", got.err)
	}
}

func TestClusterNames(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{
		"ListClusters":    {clusters("lab", "twin", "twin")},
		"DescribeCluster": {cluster("running", "")},
	})

	t.Run("a cluster is found by its name", func(t *testing.T) {
		s.run("", nil, "cluster", "show", "lab").want(t, 0, "ehpc-hz-1", "")
		if got := s.request("DescribeCluster").Get("ClusterId"); got != "ehpc-hz-1" {
			t.Errorf("asked for %q", got)
		}
	})
	t.Run("a name that no cluster has is an error", func(t *testing.T) {
		s.run("", nil, "cluster", "show", "nope").want(t, exitRefused, "", "cannot find cluster nope: there is none of that name")
	})
	t.Run("a name that two clusters have is an error that lists them", func(t *testing.T) {
		s.run("", nil, "cluster", "show", "twin").want(t, exitFailed, "", "say which by its id: ehpc-hz-2 (running), ehpc-hz-3 (running)")
	})
}

func TestClusterList(t *testing.T) {
	t.Parallel()
	first, second := clusters("a", "b"), clusters("c")
	first.TotalCount, second.TotalCount = 51, 51
	second.PageNumber = 2
	s := newService(t, map[string][]any{"ListClusters": {first, second}})
	got := s.run("", nil, "cluster", "list", "-o", "json")
	var all []api.ListClustersClusterInfoSimple
	if err := json.Unmarshal([]byte(got.out), &all); err != nil || len(all) != 3 {
		t.Errorf("all pages should be one array: %v\n%s%s", err, got.out, got.err)
	}
}

func TestClusterDelete(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{
		"DeleteCluster":   {api.DeleteClusterResponse{}},
		"DescribeCluster": {cluster("releasing", ""), refusal{api.ClusterNotFound, "gone"}},
		"ListNodes":       {nodes("manager releasing")},
	})
	s.run("no\n", nil, "cluster", "delete", "ehpc-hz-1").want(t, exitFailed, "", "there is no terminal to ask on; give --yes")
	s.run("", nil, "cluster", "delete", "ehpc-hz-1", "--yes", "--wait").want(t, 0, "is gone, after", "releasing manager releasing")
}

func TestManyNodesAreCounted(t *testing.T) {
	t.Parallel()
	many := nodes("manager running", "login0 running", "c0 init", "c1 init", "c2 init", "c3 init", "c4 running")
	if got, want := summary(many.Nodes.NodeInfo), "1 manager running, 1 login running, 4 compute init, 1 compute running"; got != want {
		t.Errorf("%q, expected %q", got, want)
	}
}

func TestNodesThatAreSetUpSayWhatTheyWaitFor(t *testing.T) {
	t.Parallel()
	some := nodes("manager running", "c0 init", "c1 uninit").Nodes.NodeInfo
	some[1].WaitsFor, some[2].WaitsFor, some[2].LockReason = "scripts", "machine", "cannot make machine: no room\nat all"
	if got, want := summary(some), "manager running, c0 init (scripts), c1 uninit (machine); c1: cannot make machine: no room"; got != want {
		t.Errorf("%q, expected %q", got, want)
	}
	many := nodes("manager running", "login0 running", "c0 init", "c1 init", "c2 init", "c3 init", "c4 init", "c5 running").Nodes.NodeInfo
	for i := range many[2:5] {
		many[i+2].WaitsFor = "agent"
	}
	if got, want := summary(many), "1 manager running, 1 login running, 3 compute init (agent), 2 compute init, 1 compute running"; got != want {
		t.Errorf("%q, expected %q", got, want)
	}
}
