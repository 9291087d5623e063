package reconcile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// world is a cluster without I/O: rows, machines, agents and a scheduler, on
// which the steps of a plan act as the real ones do.
type world struct {
	t    *testing.T
	rng  *rand.Rand
	now  time.Time
	v    *clusterView
	boot int
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 7)), now: time.Unix(1_000_000, 0)}
	w.v = &clusterView{Cluster: &store.Cluster{ID: "c", Status: hpc.ClusterRunning, Wanted: true},
		Machines: map[string]provider.Machine{}, Present: map[string]bool{}, Silent: map[string]time.Time{},
		Sched: map[string]scheduler.Node{}, Plans: map[string]string{}}
	w.add("manager", hpc.RoleManager)
	w.add("login0", hpc.RoleLogin)
	for i := range 4 {
		w.add(fmt.Sprintf("compute%03d", i), hpc.RoleCompute)
	}
	return w
}

func (w *world) add(name string, role hpc.Role) {
	n := &store.Node{ID: "i-" + name, Hostname: name, Roles: []hpc.Role{role},
		Status: hpc.NodeUninit, Wanted: true, Changed: w.now}
	if role == hpc.RoleCompute {
		n.Queue = "workq"
	}
	w.v.Nodes = append(w.v.Nodes, n)
	w.v.Plans["i-"+name] = "first"
}

func (w *world) move(n *store.Node, to hpc.NodeStatus) {
	if !slices.Contains(hpc.NodeSteps[n.Status], to) {
		w.t.Fatalf("%s: illegal step from %s to %s", n.Hostname, n.Status, to)
	}
	n.Status, n.Changed = to, w.now
}

// act does what the step says; it may also be interrupted before.
func (w *world) act(s nodeStep) {
	n := s.Node
	switch s.Act {
	case makeMachine:
		w.boot++
		m := provider.Machine{ID: n.ID, State: provider.Running, BootID: fmt.Sprint(w.boot), Address: "10.0.0.2"}
		if old, there := w.v.Machines[n.ID]; there && old.State == provider.Running {
			m = old
		}
		w.v.Machines[n.ID] = m
		n.Address, n.BootID = m.Address, m.BootID
		w.move(n, hpc.NodeInit)
	case applyPlan:
		n.Plan = w.v.Plans[n.ID]
		if n.HasRole(hpc.RoleCompute) {
			queue := n.Queue
			if s, known := w.v.Sched[n.Hostname]; known {
				queue = s.Queue // the daemon's word counts the first time alone
			}
			w.v.Sched[n.Hostname] = scheduler.Node{Name: n.Hostname, State: scheduler.NodeIdle, Queue: queue}
		}
		w.move(n, hpc.NodeReady)
	case refreshPlan:
		n.Plan = w.v.Plans[n.ID]
	case moveNode:
		s, known := w.v.Sched[n.Hostname]
		if !known || s.Queue == n.Queue {
			w.t.Fatalf("%s of %q is moved to %q", n.Hostname, s.Queue, n.Queue)
		}
		s.Queue = n.Queue
		w.v.Sched[n.Hostname] = s
	case enterDuty:
		w.move(n, hpc.NodeRunning)
	case loseMachine:
		if s, known := w.v.Sched[n.Hostname]; known {
			s.State = scheduler.NodeDown
			w.v.Sched[n.Hostname] = s
		}
		w.move(n, hpc.NodeUninit)
	case failNode:
		w.move(n, hpc.NodeException)
	case retryNode:
		w.move(n, hpc.NodeInit)
		if !w.v.Present[n.ID] {
			n.Status = hpc.NodeUninit
		}
	case drainNode:
		s := w.v.Sched[n.Hostname]
		s.State = map[bool]scheduler.NodeState{true: scheduler.NodeDraining, false: scheduler.NodeDrained}[s.State == scheduler.NodeBusy]
		w.v.Sched[n.Hostname] = s
	case releaseNode:
		if s, known := w.v.Sched[n.Hostname]; known && (s.State == scheduler.NodeBusy || s.State == scheduler.NodeDraining) && !n.Force && w.v.Cluster.Wanted {
			w.t.Fatalf("%s was released while it was %s", n.Hostname, s.State)
		}
		delete(w.v.Machines, n.ID)
		delete(w.v.Sched, n.Hostname)
		w.v.Nodes = slices.DeleteFunc(w.v.Nodes, func(o *store.Node) bool { return o == n })
	default:
		w.t.Fatalf("unknown act %q", s.Act)
	}
}

// settle lets agents connect where their machines live, and jobs end.
func (w *world) settle() {
	for _, n := range w.v.Nodes {
		m := w.v.Machines[n.ID]
		w.v.Present[n.ID] = m.State == provider.Running
		if w.v.Present[n.ID] {
			delete(w.v.Silent, n.ID)
		}
	}
	for name, s := range w.v.Sched {
		switch s.State {
		case scheduler.NodeBusy:
			s.State = scheduler.NodeIdle
		case scheduler.NodeDraining:
			s.State = scheduler.NodeDrained
		}
		w.v.Sched[name] = s
	}
}

// disturb does one thing that happens in the life of a cluster.
func (w *world) disturb() {
	n := w.v.Nodes[w.rng.IntN(len(w.v.Nodes))]
	switch w.rng.IntN(7) {
	case 0:
		if m, there := w.v.Machines[n.ID]; there {
			m.State = provider.Dead
			w.v.Machines[n.ID] = m
			w.v.Present[n.ID] = false
		}
	case 1:
		w.v.Present[n.ID] = false
		w.v.Silent[n.ID] = w.now
	case 2:
		if s, known := w.v.Sched[n.Hostname]; known && s.State == scheduler.NodeIdle {
			s.State = scheduler.NodeBusy
			w.v.Sched[n.Hostname] = s
		}
	case 3:
		w.v.Plans[n.ID] = fmt.Sprint("plan ", w.rng.IntN(1000))
	case 4:
		if n.HasRole(hpc.RoleCompute) && n.Wanted && w.rng.IntN(4) == 0 {
			n.Wanted = false
			w.move(n, hpc.NodeReleasing)
		}
	case 5:
		w.now = w.now.Add(time.Duration(w.rng.IntN(100)) * time.Second)
	case 6:
		if n.HasRole(hpc.RoleCompute) {
			n.Queue = []string{"workq", "night"}[w.rng.IntN(2)]
			w.v.Plans[n.ID] += n.Queue
		}
	}
}

func (w *world) pass() int {
	steps := planNodes(w.now, w.v, DefaultLimits)
	seen := map[*store.Node]bool{}
	for _, s := range steps {
		if seen[s.Node] {
			w.t.Fatalf("%s has two steps in one pass", s.Node.Hostname)
		}
		seen[s.Node] = true
		if s.Node.HasRole(hpc.RoleManager) && s.Act == releaseNode && w.v.Cluster.Wanted {
			w.t.Fatalf("the manager was released")
		}
		w.act(s)
	}
	w.now = w.now.Add(time.Second)
	return len(steps)
}

func TestPlanNodesConverges(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		w := newWorld(t, seed)
		for range 60 {
			w.disturb()
			if w.rng.IntN(3) > 0 {
				w.settle()
			}
			w.pass()
		}
		quiet := 0
		for i := 0; quiet < 3; i++ {
			if i > 40 {
				t.Fatalf("seed %d: still busy after %d passes: %+v", seed, i, planNodes(w.now, w.v, DefaultLimits))
			}
			w.settle()
			if quiet++; w.pass() > 0 {
				quiet = 0
			}
		}
		for _, n := range w.v.Nodes {
			if !n.Wanted || n.Status != hpc.NodeRunning || n.Plan != w.v.Plans[n.ID] || w.v.Machines[n.ID].State != provider.Running {
				t.Fatalf("seed %d: %s ended %s, wanted %v, plan %q of %q", seed, n.Hostname, n.Status, n.Wanted, n.Plan, w.v.Plans[n.ID])
			}
			if s := w.v.Sched[n.Hostname]; n.HasRole(hpc.RoleCompute) && s.Queue != n.Queue {
				t.Fatalf("seed %d: %s is of queue %q, the scheduler has it in %q", seed, n.Hostname, n.Queue, s.Queue)
			}
		}
	}
}

func TestPlanNodes(t *testing.T) {
	t.Parallel()
	running := func(t *testing.T) *world {
		w := newWorld(t, 1)
		for range 6 {
			w.settle()
			w.pass()
		}
		w.settle()
		if got := planNodes(w.now, w.v, DefaultLimits); len(got) != 0 {
			t.Fatalf("a cluster at rest has steps: %v", got)
		}
		return w
	}
	node := func(w *world, name string) *store.Node {
		return w.v.Nodes[slices.IndexFunc(w.v.Nodes, func(n *store.Node) bool { return n.Hostname == name })]
	}
	only := func(t *testing.T, w *world, want nodeAct) {
		t.Helper()
		got := planNodes(w.now, w.v, DefaultLimits)
		if want == "" && len(got) == 0 {
			return
		}
		if len(got) != 1 || got[0].Act != want {
			t.Fatalf("planned %v, want only %q", got, want)
		}
	}
	t.Run("a busy node that is to go is drained first and waited for", func(t *testing.T) {
		w := running(t)
		n := node(w, "compute001")
		n.Wanted, n.Status = false, hpc.NodeReleasing
		w.v.Sched[n.Hostname] = scheduler.Node{State: scheduler.NodeBusy}
		only(t, w, drainNode)
		w.v.Sched[n.Hostname] = scheduler.Node{State: scheduler.NodeDraining}
		only(t, w, "")
		w.v.Sched[n.Hostname] = scheduler.Node{State: scheduler.NodeDrained}
		only(t, w, releaseNode)
	})
	t.Run("it is waited for until its drain limit, if it has one", func(t *testing.T) {
		w := running(t)
		n := node(w, "compute001")
		n.Wanted, n.Status, n.DrainUntil = false, hpc.NodeReleasing, w.now.Add(time.Second)
		w.v.Sched[n.Hostname] = scheduler.Node{State: scheduler.NodeDraining}
		only(t, w, "")
		w.now = w.now.Add(time.Second)
		only(t, w, forceNode)
		w.v.Sched = nil
		only(t, w, forceNode)
		n.Force = true
		only(t, w, releaseNode)
	})
	t.Run("in exception, too, and it is waited for a manager that is away", func(t *testing.T) {
		w := running(t)
		n := node(w, "compute001")
		w.v.Cluster.Status = hpc.ClusterException
		n.Wanted, n.Status = false, hpc.NodeReleasing
		w.v.Sched[n.Hostname] = scheduler.Node{State: scheduler.NodeBusy}
		only(t, w, drainNode)
		w.v.Sched = nil
		only(t, w, "")
		w.v.Present["i-manager"] = false
		only(t, w, "")
		n.DrainUntil = w.now
		only(t, w, forceNode)
		n.DrainUntil = time.Time{}
		delete(w.v.Machines, n.ID)
		only(t, w, releaseNode)
	})
	t.Run("one that was never set up goes at once in a cluster that did not come up", func(t *testing.T) {
		w := running(t)
		n := node(w, "compute001")
		w.v.Cluster.Status, w.v.Present["i-manager"], w.v.Sched = hpc.ClusterException, false, nil
		n.Wanted, n.Status, n.Plan = false, hpc.NodeReleasing, ""
		only(t, w, releaseNode)
	})
	t.Run("a busy node that is moved to another queue is not drained for it", func(t *testing.T) {
		w := running(t)
		n := node(w, "compute001")
		n.Queue = "night"
		w.v.Sched[n.Hostname] = scheduler.Node{State: scheduler.NodeBusy, Queue: "workq"}
		only(t, w, moveNode)
		w.pass()
		only(t, w, "")
	})
	t.Run("a node whose queue the scheduler does not tell is not moved", func(t *testing.T) {
		w := running(t)
		n := node(w, "compute001")
		n.Queue = "night"
		w.v.Sched[n.Hostname] = scheduler.Node{State: scheduler.NodeIdle}
		only(t, w, "")
	})
	t.Run("a scheduler that cannot be asked counts as busy", func(t *testing.T) {
		w := running(t)
		n := node(w, "compute001")
		n.Wanted, n.Status = false, hpc.NodeReleasing
		w.v.Sched = nil
		only(t, w, "")
	})
	t.Run("machines that cannot be listed are not taken for dead", func(t *testing.T) {
		w := running(t)
		w.v.Machines = nil
		only(t, w, "")
	})
	t.Run("a dead machine is made anew, same row and same name", func(t *testing.T) {
		w := running(t)
		n := node(w, "compute002")
		m := w.v.Machines[n.ID]
		m.State = provider.Dead
		w.v.Machines[n.ID] = m
		only(t, w, loseMachine)
		w.pass()
		only(t, w, makeMachine)
	})
	t.Run("a node whose agent stays away goes to exception, with the reason", func(t *testing.T) {
		w := running(t)
		n := node(w, "login0")
		w.v.Present[n.ID], w.v.Silent[n.ID] = false, w.now
		only(t, w, "")
		w.now = w.now.Add(DefaultLimits.Silent + time.Second)
		only(t, w, failNode)
	})
	t.Run("nodes of a cluster that goes are not drained", func(t *testing.T) {
		w := running(t)
		w.v.Cluster.Wanted = false
		for _, n := range w.v.Nodes {
			n.Wanted, n.Status = false, hpc.NodeReleasing
		}
		for _, s := range planNodes(w.now, w.v, DefaultLimits) {
			if s.Act != releaseNode {
				t.Errorf("%s: %s", s.Node.Hostname, s.Act)
			}
		}
	})
}
