// Package ehpctest runs a whole control plane in one test process, on the fakes:
// the store, the actions, the HTTP side and the reconcilers are the real ones;
// machines, agents and schedulers are in memory. The world outlives the plane,
// so that a test can kill the plane and start it again.
package ehpctest

import (
	"context"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"ehpc/internal/fence"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/provider"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/scheduler"
	schedfake "ehpc/internal/scheduler/fake"
)

// World is what a control plane finds outside itself.
type World struct {
	Machines *provfake.Provider

	mu         sync.Mutex
	agents     map[string]*Agent          // by node id, while their machine runs
	boots      map[place]string           // their boot ids
	schedulers map[string]*schedfake.Fake // by cluster id, while the cluster's volume is there
	guards     map[string]*fence.Guard    // around them
	volumes    string                     // the directory of the clusters' volumes
	onEnd      map[string]func(hpc.Run)   // by cluster id, called when a job's script comes to its end
	changed    func()                     // of the plane that runs
	silent     map[string]bool            // cluster ids whose scheduler answers nothing
	sockets    string                     // the directory of the nodes' sockets; "" if agents are reached in memory
	mute       map[string]bool            // node ids whose agent is not connected though it runs
	scripts    scriptsFate
	used       map[string]map[hpc.JobOnNode]hpc.Measurement // by cluster id
	members    map[string][]hpc.Member                      // by cluster id, as an agent was told last
	unfit      map[string]error                             // by host name, why agents that start take no plan
}

// place is where an agent runs.
type place struct{ clusterID, hostname string }

// shared are members that all agents of a cluster that were told the same have
// once: thousands of nodes would fill the memory with their neighbours.
func (w *World) shared(clusterID string, members []hpc.Member) []hpc.Member {
	w.mu.Lock()
	defer w.mu.Unlock()
	if reflect.DeepEqual(w.members[clusterID], members) {
		return w.members[clusterID]
	}
	w.members[clusterID] = members
	return members
}

// Used says what a job used on a node of the cluster, as its volume has it.
func (w *World) Used(clusterID string, m hpc.Measurement) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.used[clusterID] == nil {
		w.used[clusterID] = map[hpc.JobOnNode]hpc.Measurement{}
	}
	w.used[clusterID][hpc.JobOnNode{Job: m.Job, Host: m.Host}] = m
}

// FailSetUp makes all plans fail on hosts of that name that start from now on.
func (w *World) FailSetUp(hostname string, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unfit[hostname] = why
}

// scriptsFate is what becomes of post-install scripts on all nodes.
type scriptsFate struct{ held, failed bool }

// HoldScripts keeps post-install scripts running, or lets them end.
func (w *World) HoldScripts(held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scripts.held = held
}

// FailScripts lets post-install scripts end with an exit status that is not 0.
func (w *World) FailScripts(failed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scripts.failed = failed
}

func (w *World) scriptsResult() hpc.CommandResult {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.scripts.held:
		return hpc.CommandResult{Status: hpc.CommandRunning}
	case w.scripts.failed:
		return hpc.CommandResult{Status: hpc.CommandFinished, ExitCode: 3, Output: "no such package", Finished: time.Now()}
	}
	return hpc.CommandResult{Status: hpc.CommandFinished, Output: "prepared", Finished: time.Now()}
}

// NewWorld makes a world without anything in it.
func NewWorld(o provfake.Options) *World {
	w := &World{agents: map[string]*Agent{}, boots: map[place]string{}, used: map[string]map[hpc.JobOnNode]hpc.Measurement{}, members: map[string][]hpc.Member{}, schedulers: map[string]*schedfake.Fake{},
		guards: map[string]*fence.Guard{}, onEnd: map[string]func(hpc.Run){}, changed: func() {}, silent: map[string]bool{}, mute: map[string]bool{}, unfit: map[string]error{}}
	o.OnStart = w.boot
	w.Machines = provfake.New(o)
	return w
}

func (w *World) boot(m provider.Machine, spec provider.Spec) (stop func()) {
	w.mu.Lock()
	a := &Agent{world: w, spec: spec, bootID: m.BootID, results: map[string]hpc.CommandResult{}, Files: map[string]string{}}
	if why := w.unfit[spec.Hostname]; why != nil {
		a.FailOn(why)
	}
	w.agents[m.ID] = a
	at := place{spec.ClusterID, spec.Hostname}
	w.boots[at] = m.BootID
	sockets := w.sockets
	w.mu.Unlock()
	w.wake()
	hangUp := func() {}
	if sockets != "" {
		hangUp = a.connect(filepath.Join(sockets, m.ID, "agent.sock"))
	}
	return func() {
		hangUp()
		w.mu.Lock()
		if w.agents[m.ID] == a {
			delete(w.agents, m.ID)
		}
		if w.boots[at] == m.BootID {
			delete(w.boots, at)
		}
		w.mu.Unlock()
		if a.applied(hpc.RoleCompute) {
			w.SchedulerOf(spec.ClusterID).PowerOff(spec.Hostname)
		}
		w.wake()
	}
}

// wake tells the plane that something on a node has changed.
func (w *World) wake() {
	w.mu.Lock()
	changed := w.changed
	w.mu.Unlock()
	changed()
}

// Agent is the node's agent; nil while its machine is not running.
func (w *World) Agent(nodeID string) *Agent {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.agents[nodeID]
}

// SchedulerOf is a cluster's scheduler. It lives on the cluster's volume: a
// manager that is made anew continues with it.
func (w *World) SchedulerOf(clusterID string) *schedfake.Fake {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.schedulers[clusterID]
	if s == nil {
		s = schedfake.New()
		w.schedulers[clusterID] = s
		w.guard(clusterID, s)
	}
	return s
}

// GuardOf is a cluster's scheduler as servers see it.
func (w *World) GuardOf(clusterID string) *fence.Guard {
	w.SchedulerOf(clusterID)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.guards[clusterID]
}

// guard has the scheduler's jobs claim their runs on the cluster's volume, as
// the nodes' agents would let them. It needs w.mu.
func (w *World) guard(clusterID string, s *schedfake.Fake) {
	journal := fence.Open(filepath.Join(w.volumes, clusterID, "claims"))
	w.guards[clusterID] = &fence.Guard{Driver: s, Journal: journal,
		Knows: func(ctx context.Context, account hpc.AccountID) error {
			return w.managerOf(clusterID).Knows(ctx, account)
		}}
	processes := 0
	s.Guarded(schedfake.Fence{
		Claim: func(run hpc.Run, uid int) (hpc.Run, string, int) {
			processes++
			run.PID, run.Boot = processes, w.bootOf(clusterID, run.Host)
			ruling, given, err := journal.Claim(run, uid, func(hpc.Run) error { return w.agentAt(clusterID, run.Host).knowsUID(uid) })
			if err != nil { // among them hpc.ErrUnknownAccount
				return run, string(fence.Wait), 0
			}
			return given, string(ruling.Verdict), ruling.Code
		},
		End: func(run hpc.Run, code int) {
			w.mu.Lock()
			if f := w.onEnd[clusterID]; f != nil {
				f(run)
			}
			w.mu.Unlock()
			journal.NoteEnd(run, code, time.Now()) // from here on it can be known
		},
		Kill: func(run hpc.Run) { journal.NoteDeath(run, "it was killed", time.Now()) },
	})
}

// OnEnd calls f for every run of the cluster's jobs that comes to its end.
func (w *World) OnEnd(clusterID string, f func(hpc.Run)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onEnd[clusterID] = f
}

func (w *World) bootOf(clusterID, host string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.boots[place{clusterID, host}]
}

// Silence makes a cluster's scheduler take every question and answer none.
func (w *World) Silence(clusterID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent[clusterID] = true
}

func (w *World) isSilent(clusterID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.silent[clusterID]
}

// silent is a scheduler that answers nothing.
type silent struct{ scheduler.Scheduler }

func (silent) Nodes(ctx context.Context) ([]scheduler.Node, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (silent) Changes(ctx context.Context, _, _ string) (scheduler.Observation, error) {
	<-ctx.Done()
	return scheduler.Observation{}, ctx.Err()
}

// Mute cuts the node's agent off, or lets it be heard again.
func (w *World) Mute(nodeID string, mute bool) {
	w.mu.Lock()
	w.mute[nodeID] = mute
	w.mu.Unlock()
	w.wake()
}

// heard is the node's agent as a plane finds it; nil while it is not connected.
func (w *World) heard(nodeID string) *Agent {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mute[nodeID] {
		return nil
	}
	return w.agents[nodeID]
}

// links reaches the world's agents for one plane.
type links struct{ world *World }

func (l links) Listen(string) error { return nil }
func (l links) Forget(string)       {}

func (l links) Present(nodeID string) bool { return l.world.heard(nodeID) != nil }

func (l links) Node(nodeID string) link.Node {
	if a := l.world.heard(nodeID); a != nil {
		return a
	}
	return absent{}
}

func (l links) Scheduler(nodeID string) scheduler.Scheduler {
	if a := l.world.heard(nodeID); a != nil && a.applied(hpc.RoleManager) {
		if l.world.isSilent(a.spec.ClusterID) {
			return silent{l.world.GuardOf(a.spec.ClusterID)}
		}
		return held{l.world.GuardOf(a.spec.ClusterID), a}
	}
	down := schedfake.New()
	down.Stop()
	return &fence.Guard{Driver: down, Journal: fence.Open("/nonexistent")}
}

// absent is a node whose agent is not connected.
type absent struct{}

func (absent) Apply(context.Context, hpc.NodePlan) error            { return link.ErrAbsent }
func (absent) SetAccounts(context.Context, hpc.AccountsOrder) error { return link.ErrAbsent }
func (absent) Knows(context.Context, hpc.AccountID) error           { return link.ErrAbsent }
func (absent) State(context.Context) (hpc.NodeState, error) {
	return hpc.NodeState{}, link.ErrAbsent
}
func (absent) Health(context.Context) (hpc.NodeHealth, error) {
	return hpc.NodeHealth{}, link.ErrAbsent
}
func (absent) StartCommand(context.Context, hpc.Command) error { return link.ErrAbsent }
func (absent) CommandResult(context.Context, string) (hpc.CommandResult, error) {
	return hpc.CommandResult{}, link.ErrAbsent
}
func (absent) WriteFile(context.Context, link.AccountFile) error { return link.ErrAbsent }
func (absent) ReadFile(context.Context, link.AccountPart) ([]byte, error) {
	return nil, link.ErrAbsent
}
func (absent) JobPaths(context.Context, link.JobPaths) (link.JobFaults, error) {
	return link.JobFaults{}, link.ErrAbsent
}
func (absent) AuthorizedKeys(context.Context, hpc.AccountID) ([]byte, error) {
	return nil, link.ErrAbsent
}
func (absent) Rejoin(context.Context) error { return link.ErrAbsent }
func (absent) Measurements(context.Context, ...hpc.JobOnNode) ([]hpc.Measurement, error) {
	return nil, link.ErrAbsent
}
func (absent) ForgetCommand(context.Context, string) error { return link.ErrAbsent }
