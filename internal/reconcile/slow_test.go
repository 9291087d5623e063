package reconcile

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// slowly waits until what is asked for is done, or given up.
func slowly(ctx context.Context, takes time.Duration) error {
	select {
	case <-time.After(takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// slowSched is a scheduler, and slowNode a node, to whom everything takes so long.
type slowSched struct {
	scheduler.Scheduler
	takes time.Duration
}

func (s slowSched) Release(ctx context.Context, _ ...string) error { return slowly(ctx, s.takes) }

func (s slowSched) Changes(ctx context.Context, _, _ string) (scheduler.Observation, error) {
	return scheduler.Observation{Begun: time.Now(), Cursor: "read"}, slowly(ctx, s.takes)
}

func (s slowSched) Runs(ctx context.Context, _ ...string) ([]hpc.Run, error) { return nil, nil }

func (s slowSched) Nodes(ctx context.Context) ([]scheduler.Node, error) {
	return []scheduler.Node{{Name: "manager"}}, slowly(ctx, s.takes)
}

type slowNode struct {
	link.Node
	takes time.Duration
}

func (n slowNode) Apply(ctx context.Context, _ hpc.NodePlan) error { return slowly(ctx, n.takes) }

func (slowNode) SetAccounts(context.Context, hpc.AccountsOrder) error { return nil }

type slowLinks struct {
	oneManager
	node slowNode
}

func (l slowLinks) Node(string) link.Node { return l.node }

// slowPlane is a server with a running cluster of which everything takes so long.
type slowPlane struct {
	*Control
	c   *store.Cluster
	m   *store.Node
	log *bytes.Buffer
}

func newSlowPlane(t *testing.T, takes time.Duration, status hpc.NodeStatus) *slowPlane {
	t.Helper()
	s, _ := withCluster(t, store.Place{Dir: t.TempDir()}, "")
	now, log := time.Now(), &bytes.Buffer{}
	p := &slowPlane{log: log}
	links := slowLinks{oneManager{slowSched{takes: takes}}, slowNode{takes: takes}}
	p.Control = New(Options{Store: s, Links: links, Limits: DefaultLimits,
		Log: slog.New(slog.NewTextHandler(log, nil)), Server: "here"})
	p.c = &store.Cluster{ID: "d", Status: hpc.ClusterRunning, Wanted: true, Created: now}
	p.m = &store.Node{ID: "i-manager", ClusterID: "d", Hostname: "manager", Roles: []hpc.Role{hpc.RoleManager},
		Status: status, Wanted: true, Created: now, Changed: now}
	fatal(t, s.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return errors.Join(tx.InsertCluster(ctx, p.c, hpc.Secrets{}), tx.InsertNodes(ctx, []*store.Node{p.m}),
			tx.InsertJob(ctx, &store.Job{ID: "j1", ClusterID: "d", PublicID: "1", SchedID: "1", Token: "t1",
				Owner: "worker", Queue: hpc.DefaultQueue, State: hpc.JobPending, Wanted: true,
				NodeList: []string{}, Submitted: now, Modified: now}))
	}))
	if _, held := p.hold(t.Context(), p.c); !held {
		t.Fatal("no lease")
	}
	return p
}

// asked runs what a pass begins to its end.
func (p *slowPlane) asked(t *testing.T, pass func(context.Context) error) {
	t.Helper()
	fatal(t, pass(t.Context()))
	p.steps.wait()
}

func (p *slowPlane) nodes(t *testing.T) *clusterView {
	t.Helper()
	nodes, err := p.Store.Nodes(t.Context(), p.c.ID)
	fatal(t, err)
	there := map[string]bool{"i-manager": true}
	return &clusterView{Cluster: p.c, Nodes: nodes, Present: there, Plans: map[string]string{}}
}

func TestASlowCluster(t *testing.T) {
	in := func(name string, takes time.Duration, status hpc.NodeStatus, test func(t *testing.T, p *slowPlane)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newSlowPlane(t, takes, status)) })
		})
	}
	released := func(t *testing.T, p *slowPlane) bool {
		rows, err := p.Store.Read().UnreleasedJobs(t.Context())
		fatal(t, err)
		return len(rows) == 0
	}
	in("jobs whose release takes 100 s are released", 100*time.Second, hpc.NodeRunning, func(t *testing.T, p *slowPlane) {
		if p.asked(t, p.passReleases); !released(t, p) {
			t.Errorf("they are not; the log:\n%s", p.log)
		}
	})
	in("a release that never ends is told", time.Hour, hpc.NodeRunning, func(t *testing.T, p *slowPlane) {
		if p.asked(t, p.passReleases); released(t, p) || !strings.Contains(p.log.String(), "cannot release jobs") {
			t.Errorf("the log:\n%s", p.log)
		}
	})
	cursor := func(t *testing.T, p *slowPlane) string {
		c, err := p.Store.Read().Cluster(t.Context(), p.c.ID)
		fatal(t, err)
		return c.Cursor
	}
	in("jobs that are shown after 100 s are followed", 100*time.Second, hpc.NodeRunning, func(t *testing.T, p *slowPlane) {
		if p.asked(t, p.passJobs); cursor(t, p) != "read" {
			t.Errorf("they are not; the log:\n%s", p.log)
		}
	})
	in("a scheduler that never shows its jobs is told", time.Hour, hpc.NodeRunning, func(t *testing.T, p *slowPlane) {
		if p.asked(t, p.passJobs); cursor(t, p) != "" || !strings.Contains(p.log.String(), "cannot follow jobs") {
			t.Errorf("the log:\n%s", p.log)
		}
	})
	in("nodes that are shown after 45 s are seen", 45*time.Second, hpc.NodeRunning, func(t *testing.T, p *slowPlane) {
		if sched, err := p.listSched(t.Context(), p.nodes(t)); err != nil || len(sched) != 1 {
			t.Errorf("seen are %v, err = %v", sched, err)
		}
	})
	in("clusters scale by what is shown after 45 s", 45*time.Second, hpc.NodeRunning, func(t *testing.T, p *slowPlane) {
		fatal(t, p.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
			settings := hpc.DefaultScale
			settings.Grow, settings.Shrink = true, true
			now := time.Now()
			q := &store.Queue{ClusterID: "d", Name: hpc.DefaultQueue, IsDefault: true, Created: now}
			return errors.Join(tx.InsertQueue(ctx, q),
				tx.SetScale(ctx, &store.ScaleConfig{ClusterID: "d", Settings: settings}, nil))
		}))
		begun := time.Now()
		if p.asked(t, p.passScale); strings.Contains(p.log.String(), "cannot scale") || time.Since(begun) < 90*time.Second {
			t.Errorf("it is not, after %s; the log:\n%s", time.Since(begun), p.log)
		}
	})
	set := func(t *testing.T, p *slowPlane) *store.Node {
		v := p.nodes(t)
		ctx, _ := p.held(t.Context(), p.c.ID)
		p.applyNode(ctx, v, nodeStep{Node: v.Nodes[0], Act: applyPlan}, hpc.NodePlan{})
		return p.nodes(t).Nodes[0]
	}
	in("a node whose set-up takes 4 minutes is ready", 4*time.Minute, hpc.NodeInit, func(t *testing.T, p *slowPlane) {
		if n := set(t, p); n.Status != hpc.NodeReady || n.Attempts != 0 {
			t.Errorf("it is %s after %d failures; the log:\n%s", n.Status, n.Attempts, p.log)
		}
	})
	in("a set-up that never ends is told", time.Hour, hpc.NodeInit, func(t *testing.T, p *slowPlane) {
		n := set(t, p)
		if n.Status != hpc.NodeInit || n.Attempts != 1 || !strings.Contains(p.log.String(), "node step failed") {
			t.Errorf("it is %s after %d failures; the log:\n%s", n.Status, n.Attempts, p.log)
		}
	})
	in("a cluster whose making never ends is told", 0, hpc.NodeInit, func(t *testing.T, p *slowPlane) {
		p.Provider = never{}
		ctx, _ := p.held(t.Context(), p.c.ID)
		p.applyCluster(ctx, &clusterStep{Cluster: p.c, Act: prepareCluster})
		c, err := p.Store.Read().Cluster(t.Context(), p.c.ID)
		if fatal(t, err); c.Attempts != 1 || !strings.Contains(p.log.String(), "cluster step failed") {
			t.Errorf("it failed %d times; the log:\n%s", c.Attempts, p.log)
		}
	})
}

// never is a provider that ends nothing.
type never struct{ provider.Provider }

func (never) CreateCluster(ctx context.Context, _ string) error { return slowly(ctx, time.Hour) }

func TestASlowNode(t *testing.T) {
	t.Parallel()
	begun := time.Unix(1_000_000, 0)
	for name, c := range map[string]struct {
		status  hpc.NodeStatus
		present bool
		after   time.Duration
		failed  string
	}{
		"one whose agent has not connected after 2.5 minutes is waited for": {hpc.NodeInit, false, 150 * time.Second, ""},
		"one whose agent never connects is told": {hpc.NodeInit, false, time.Hour,
			"its agent has not connected in time"},
		"one that the scheduler does not have after 2.5 minutes is waited for": {hpc.NodeReady, true, 150 * time.Second, ""},
		"one that the scheduler never has is told": {hpc.NodeReady, true, time.Hour,
			"it has not joined the scheduler in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &store.Node{ID: "i-1", Hostname: "compute000", Roles: []hpc.Role{hpc.RoleCompute},
				Status: c.status, Wanted: true, Changed: begun}
			of := &store.Cluster{ID: "c", Status: hpc.ClusterRunning, Wanted: true}
			v := &clusterView{Cluster: of, Nodes: []*store.Node{n}, Present: map[string]bool{"i-1": c.present}}
			plan := planInit
			if c.status == hpc.NodeReady {
				plan = planReady
			}
			failed := ""
			if s := plan(begun.Add(c.after), v, n, DefaultLimits); s != nil {
				failed = s.Reason
			}
			if failed != c.failed {
				t.Errorf("it failed because %q, not %q", failed, c.failed)
			}
		})
	}
}
