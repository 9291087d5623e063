package ehpctest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"ehpc/api"
	provfake "ehpc/internal/provider/fake"
)

// crash kills the plane the first time that it comes to a point, and counts how
// often each point is met.
type crash struct {
	mu   sync.Mutex
	at   string
	met  map[string]bool
	dead bool
	hit  chan struct{}
}

func newCrash(at string) *crash {
	return &crash{at: at, met: map[string]bool{}, hit: make(chan struct{})}
}

// interrupt says yes at the point and at every point after it: a dead process
// does nothing more.
func (c *crash) interrupt(point string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dead {
		c.met[point] = true
	}
	if point == c.at && !c.dead {
		c.dead = true
		close(c.hit)
	}
	return c.dead
}

// await waits until the plane has come to the point.
func (c *crash) await(t *testing.T, p *Plane) {
	t.Helper()
	p.Until(t, "the service dies "+c.at, func() bool {
		select {
		case <-c.hit:
			return true
		default:
			return false
		}
	})
}

// act makes a cluster, adds nodes, deletes one and deletes the cluster, as far
// as the plane lives; it tells how far it came.
func act(t *testing.T, p *Plane, stage int, id *string) {
	switch stage {
	case 0:
		*id = p.Ask(t, 2)
	case 1:
		must(t, p.Do(t.Context(), &api.AddNodesRequest{ClusterId: *id, Count: 2}, &api.AddNodesResponse{}))
	case 2:
		nodes := p.Nodes(t, *id)
		last := nodes[len(nodes)-1].Id
		must(t, p.Do(t.Context(), &api.DeleteNodesRequest{ClusterId: *id, ReleaseInstance: true,
			Instance: []api.DeleteNodesRequestInstance{{Id: last}}}, &api.DeleteNodesResponse{}))
	case 3:
		must(t, p.Do(t.Context(), &api.DeleteClusterRequest{ClusterId: *id}, &api.DeleteClusterResponse{}))
	}
}

// reached tells whether what a stage asked for is there.
func reached(t *testing.T, p *Plane, stage int, id string) bool {
	if stage == 3 {
		var a api.ListClustersResponse
		must(t, p.Do(t.Context(), &api.ListClustersRequest{PageNumber: 1, PageSize: 10}, &a))
		return a.TotalCount == 0
	}
	nodes := p.Nodes(t, id)
	return len(nodes) == []int{4, 6, 5}[stage] && p.Describe(t, id).Status == "running" &&
		!slices.ContainsFunc(nodes, func(n api.ListNodesNoPagingNodeInfo) bool { return n.Status != "running" })
}

// TestAKillAtAnyStepLeavesNoHalfCluster kills the server before and after every
// step of creating and deleting a cluster and of adding and deleting nodes, and
// starts it again: everything converges and nothing is there twice.
func TestAKillAtAnyStepLeavesNoHalfCluster(t *testing.T) {
	onEveryEngine(t, testKills)
}

func testKills(t *testing.T, engine string) {
	points := map[int][]string{
		0: {"prepare", "make machine", "set up", "enter service", "move"},
		1: {"make machine", "set up", "enter service", "refresh"},
		2: {"drain", "release", "refresh"},
		3: {"release", "drop"},
	}
	for stage, steps := range points {
		for _, step := range steps {
			for _, side := range []string{"before ", "after "} {
				t.Run(fmt.Sprintf("stage %d, %s%s", stage, side, step), func(t *testing.T) {
					t.Parallel()
					killAt(t, engine, stage, side+step)
				})
			}
		}
	}
}

func killAt(t *testing.T, engine string, stage int, point string) {
	w := NewWorld(provfake.Options{})
	dir := t.TempDir()
	p := Start(t, w, Options{Dir: dir, Engine: engine})
	var id string
	for s := range stage {
		act(t, p, s, &id)
		p.Until(t, "the stage before is reached", func() bool { return reached(t, p, s, id) })
	}
	p.Kill()

	c := newCrash(point)
	p = Start(t, w, Options{Dir: dir, Interrupt: c.interrupt})
	act(t, p, stage, &id)
	c.await(t, p)
	p.Kill()

	p = Start(t, w, Options{Dir: dir})
	p.Until(t, "everything has converged", func() bool { return reached(t, p, stage, id) })
	machines, err := w.Machines.List(t.Context())
	must(t, err)
	want := []int{4, 6, 5, 0}[stage]
	if len(machines) != want {
		t.Errorf("%d machines, want %d: %v", len(machines), want, machines)
	}
	names := map[string]bool{}
	for _, m := range machines {
		if names[m.Hostname] {
			t.Errorf("%s is there twice", m.Hostname)
		}
		names[m.Hostname] = true
	}
}

func TestARestartTouchesNoRunningNode(t *testing.T) {
	onEveryEngine(t, testRestart)
}

func testRestart(t *testing.T, engine string) {
	w := NewWorld(provfake.Options{})
	dir := t.TempDir()
	p := Start(t, w, Options{Dir: dir, Engine: engine})
	id := p.Create(t, 3)
	before, err := w.Machines.List(t.Context())
	must(t, err)
	p.Kill()
	p = Start(t, w, Options{Dir: dir})
	p.Until(t, "the nodes run", func() bool { return p.Describe(t, id).Status == "running" })
	var added api.AddNodesResponse // a whole round of every loop
	must(t, p.Do(t.Context(), &api.AddNodesRequest{ClusterId: id, Count: 1}, &added))
	p.Until(t, "the added node runs", func() bool {
		nodes := p.Nodes(t, id)
		return len(nodes) == 6 && nodes[5].Status == "running"
	})
	after, err := w.Machines.List(t.Context())
	must(t, err)
	for _, m := range before {
		if !slices.Contains(after, m) {
			t.Errorf("machine %s was touched", m.Hostname)
		}
	}
}

func TestTheSweepRemovesWhatNoRowWants(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	p.Create(t, 1)
	p.Kill()
	lost := Start(t, w, Options{}) // a new store knows nothing of the cluster
	lost.Until(t, "what the store does not know is gone", func() bool {
		machines, err := w.Machines.List(t.Context())
		must(t, err)
		clusters, err := w.Machines.Clusters(t.Context())
		must(t, err)
		return len(machines) == 0 && len(clusters) == 0
	})
}
