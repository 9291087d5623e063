package ehpctest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ehpc/api"
	"ehpc/client"
	provfake "ehpc/internal/provider/fake"
)

func codeOf(t *testing.T, err error) string {
	t.Helper()
	var e *client.Error
	if !errors.As(err, &e) {
		t.Fatalf("err = %v, want one of the API's", err)
	}
	return e.Code
}

func hostnames(nodes []api.ListNodesNoPagingNodeInfo) []string {
	var names []string
	for _, n := range nodes {
		names = append(names, n.HostName)
	}
	return names
}

func TestTheLifeOfACluster(t *testing.T) {
	onEveryEngine(t, testLife)
}

func testLife(t *testing.T, engine string) {
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{Engine: engine})
	id := p.Create(t, 2)
	if got, want := hostnames(p.Nodes(t, id)), []string{"manager", "login0", "compute000", "compute001"}; !slices.Equal(got, want) {
		t.Fatalf("nodes %v, want %v", got, want)
	}

	var added api.AddNodesResponse
	must(t, p.Do(t.Context(), &api.AddNodesRequest{ClusterId: id, Count: 3}, &added))
	p.Until(t, "the added nodes run", func() bool {
		nodes := p.Nodes(t, id)
		return len(nodes) == 7 && !slices.ContainsFunc(nodes, func(n api.ListNodesNoPagingNodeInfo) bool { return n.Status != "running" })
	})

	gone := added.InstanceIds.InstanceId[0]
	must(t, p.Do(t.Context(), &api.DeleteNodesRequest{ClusterId: id, ReleaseInstance: true,
		Instance: []api.DeleteNodesRequestInstance{{Id: gone}}}, &api.DeleteNodesResponse{}))
	p.Until(t, "the node is gone", func() bool {
		return !slices.ContainsFunc(p.Nodes(t, id), func(n api.ListNodesNoPagingNodeInfo) bool { return n.Id == gone })
	})

	must(t, p.Do(t.Context(), &api.DeleteClusterRequest{ClusterId: id}, &api.DeleteClusterResponse{}))
	p.Until(t, "the cluster is gone", func() bool {
		err := p.Do(t.Context(), &api.DescribeClusterRequest{ClusterId: id}, &api.DescribeClusterResponse{})
		return err != nil && codeOf(t, err) == "ClusterNotFound"
	})
	if left, err := w.Machines.List(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("machines left: %v, %v", left, err)
	}
	if left, err := w.Machines.Clusters(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("clusters left: %v, %v", left, err)
	}
}

func TestADeadNodeIsMadeAnew(t *testing.T) {
	onEveryEngine(t, testDeadNode)
}

func testDeadNode(t *testing.T, engine string) {
	for _, host := range []string{"compute001", "manager", "login0"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			w := NewWorld(provfake.Options{})
			p := Start(t, w, Options{Engine: engine})
			id := p.Create(t, 2)
			node := func() api.ListNodesNoPagingNodeInfo {
				nodes := p.Nodes(t, id)
				return nodes[slices.Index(hostnames(nodes), host)]
			}
			before := node()
			old := w.Agent(before.Id)
			w.Machines.Kill(before.Id)
			p.Until(t, "the node runs on a new machine", func() bool {
				a := w.Agent(before.Id)
				return a != nil && a != old && node().Status == "running"
			})
			if after := node(); after.Id != before.Id {
				t.Errorf("the node's id changed from %s to %s", before.Id, after.Id)
			}
			if !p.told(t, id, host, "made anew") {
				t.Error("the cluster's log does not tell of it")
			}
		})
	}
}

func TestAFailureNamesItsStep(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	for range 40 { // more than are tried, by the two nodes together
		w.Machines.Fail(provfake.Create, errors.New("mkfs: no space left"))
	}
	p := Start(t, w, Options{})
	id := p.Ask(t, 0)
	p.Until(t, "the cluster is in exception", func() bool { return p.Describe(t, id).Status == "exception" })
	if msg := p.Describe(t, id).ErrorMessage; !strings.Contains(msg, "make machine") || !strings.Contains(msg, "no space left") {
		t.Errorf("ErrorMessage = %q, want the step and the cause", msg)
	}
}

func TestAClusterWhoseSchedulerIsSilentHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	for range 2 {
		w.Silence(p.Create(t, 1))
	}
	p.Create(t, 2)
}
