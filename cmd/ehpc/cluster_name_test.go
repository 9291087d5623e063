package main

import (
	"strings"
	"testing"

	"ehpc/api"
)

// inStates are clusters named lab, with ids from ehpc-hz-1 on, in these states.
func inStates(states ...string) api.ListClustersResponse {
	answer := clusters(strings.Fields(strings.Repeat("lab ", len(states)))...)
	for i, status := range states {
		answer.Clusters.ClusterInfoSimple[i].Status = status
	}
	return answer
}

func TestClustersThatAreGoing(t *testing.T) {
	t.Parallel()
	show := func(t *testing.T, states ...string) (*service, outcome) {
		s := newService(t, map[string][]any{"ListClusters": {inStates(states...)}, "DescribeCluster": {cluster("running", "")}})
		return s, s.run("", nil, "cluster", "show", "lab")
	}
	t.Run("do not take part in a name that another has", func(t *testing.T) {
		t.Parallel()
		s, got := show(t, "releasing", "running", "releasing")
		got.want(t, exitDone, "lab", "")
		if id := s.request("DescribeCluster").Get("ClusterId"); id != "ehpc-hz-2" {
			t.Errorf("asked for %s", id)
		}
	})
	t.Run("are found where they are the only ones", func(t *testing.T) {
		t.Parallel()
		_, got := show(t, "releasing")
		got.want(t, exitDone, "lab", "")
	})
	t.Run("are told apart where there are several", func(t *testing.T) {
		t.Parallel()
		_, got := show(t, "releasing", "releasing")
		got.want(t, exitFailed, "", "ehpc-hz-1 (releasing), ehpc-hz-2 (releasing)")
	})
}

func TestClusterCreateOfATakenName(t *testing.T) {
	t.Parallel()
	made := api.CreateClusterResponse{ClusterId: "ehpc-hz-9"}
	conflict := refusal{api.ConflictOpt, "cannot create cluster lab: Name: cluster ehpc-hz-1 (running) has that name"}
	t.Run("is refused, with the ways out", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"CreateCluster": {conflict}})
		s.run("", nil, "cluster", "create", "lab").want(t, exitRefused, "", "ehpc-hz-1 (running) has that name (ConflictOpt, request REQ-1)\n  --if-absent takes")
		if s.request("CreateCluster").Get("UniqueName") != "true" {
			t.Error("a second one would have been made")
		}
	})
	t.Run("makes a second one when it is told to", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"CreateCluster": {made}})
		s.run("", nil, "cluster", "create", "lab", "--duplicate").want(t, exitDone, "ehpc-hz-9", "")
		if s.request("CreateCluster").Has("UniqueName") {
			t.Error("a second one would have been refused")
		}
	})
	t.Run("is the one that is there, for scripts", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"ListClusters": {inStates("releasing", "init")}})
		if got := s.run("", nil, "cluster", "create", "lab", "--if-absent", "-o", "id"); got != (outcome{out: "ehpc-hz-2\n"}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("waits for the one that is there", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"ListClusters": {inStates("init")}, "ListNodes": {nodes("manager init")},
			"DescribeCluster": {cluster("init", ""), cluster("running", "")}})
		s.run("", nil, "cluster", "create", "lab", "--if-absent", "--wait").want(t, exitDone, "cluster lab (ehpc-hz-1) is there already\n", "running")
	})
	t.Run("makes one where there is none but those that are going", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"ListClusters": {inStates("releasing")}, "CreateCluster": {made}})
		s.run("", nil, "cluster", "create", "lab", "--if-absent").want(t, exitDone, "(ehpc-hz-9) is being made", "")
	})
	t.Run("takes the one that somebody made meanwhile", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"ListClusters": {inStates(), inStates("init")}, "CreateCluster": {conflict}})
		s.run("", nil, "cluster", "create", "lab", "--if-absent", "-o", "id").want(t, exitDone, "ehpc-hz-1\n", "")
	})
	t.Run("does not choose among several", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"ListClusters": {inStates("running", "init")}})
		s.run("", nil, "cluster", "create", "lab", "--if-absent").want(t, exitFailed, "", "ehpc-hz-1 (running), ehpc-hz-2 (init)")
	})
	t.Run("is not both", func(t *testing.T) {
		t.Parallel()
		newService(t, nil).run("", nil, "cluster", "create", "lab", "--if-absent", "--duplicate").want(t, exitUsage, "", "exclude each other")
	})
}
