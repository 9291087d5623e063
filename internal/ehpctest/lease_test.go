package ehpctest

import (
	"slices"
	"testing"

	"ehpc/api"
	provfake "ehpc/internal/provider/fake"
)

// TestAnotherServerTakesOver lets a server die in the middle of adding nodes. It
// keeps its connection to the store, and it is not told.
func TestAnotherServerTakesOver(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	c, dir := newCrash("before make machine"), t.TempDir()
	armed := false
	a := Start(t, w, Options{Dir: dir, Engine: postgres, Server: "a", Interrupt: func(point string) bool {
		c.mu.Lock()
		ready := armed
		c.mu.Unlock()
		return ready && c.interrupt(point)
	}})
	id := a.Create(t, 1)
	c.mu.Lock()
	armed = true
	c.mu.Unlock()
	must(t, a.Do(t.Context(), &api.AddNodesRequest{ClusterId: id, Count: 2}, &api.AddNodesResponse{}))
	c.await(t, a)

	b := Start(t, w, Options{Dir: Share(t, dir), Server: "b"})
	b.Client = clientOf(t, b.URL, a.Key) // the keys are in the store: it is the same service
	b.Until(t, "the other server has made the nodes", func() bool {
		nodes := b.Nodes(t, id)
		return len(nodes) == 5 && !slices.ContainsFunc(nodes, func(n api.ListNodesNoPagingNodeInfo) bool { return n.Status != "running" })
	})
	machines, err := w.Machines.List(t.Context())
	must(t, err)
	if len(machines) != 5 {
		t.Errorf("%d machines for 5 nodes: %v", len(machines), machines)
	}
}

// TestServersShareAStoreAndNotTheirMachines has two servers with machines of
// their own: each looks after its clusters alone.
func TestServersShareAStoreAndNotTheirMachines(t *testing.T) {
	t.Parallel()
	w, dir := NewWorld(provfake.Options{}), t.TempDir()
	a := Start(t, w, Options{Dir: dir, Engine: postgres, Server: "a", Home: "a"})
	id := a.Create(t, 1)
	a.Kill()

	b := Start(t, w, Options{Dir: Share(t, dir), Server: "b", Home: "b"})
	own := b.Create(t, 1)
	as := *b
	as.Client = clientOf(t, b.URL, a.Key)
	left := as.Nodes(t, id)[2]
	must(t, as.Do(t.Context(), &api.DeleteNodesRequest{ClusterId: id, ReleaseInstance: true, Instance: []api.DeleteNodesRequestInstance{{Id: left.Id}}}, nil))
	must(t, b.Do(t.Context(), &api.AddNodesRequest{ClusterId: own, Count: 1}, &api.AddNodesResponse{}))
	b.Until(t, "the server's own node runs", func() bool {
		nodes := b.Nodes(t, own)
		return len(nodes) == 4 && nodes[3].Status == "running"
	})
	if n := as.Nodes(t, id); len(n) != 3 || n[2].Status != "releasing" {
		t.Errorf("the other's cluster has nodes %+v", n)
	}

	again := Start(t, w, Options{Dir: dir, Server: "a", Home: "a"})
	again.Until(t, "its own server takes the node away", func() bool { return len(as.Nodes(t, id)) == 2 })
}
