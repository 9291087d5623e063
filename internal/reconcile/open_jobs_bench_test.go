package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// BenchmarkOpenJobs makes a pass of the loops that look at a cluster's jobs, with
// 100,000 that wait and a scheduler that shows nothing new.
func BenchmarkOpenJobs(b *testing.B) {
	ctl, ctx, c := withOpenJobs(b, 100_000)
	for _, pass := range []struct {
		name string
		run  func() error
	}{
		{"jobs", func() error { return ctl.followJobs(ctx, c) }},
		{"scale", func() error { return ctl.scaleCluster(ctx, c.ID) }},
		{"figures", func() error { return ctl.fetchFigures(ctx, c.ID) }},
	} {
		b.Run(pass.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := pass.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// unchanged is a scheduler whose jobs wait.
type unchanged struct {
	scheduler.Scheduler
	seen scheduler.Observation
}

func (u unchanged) Changes(_ context.Context, _, sum string) (scheduler.Observation, error) {
	o := u.seen
	o.Begun, o.Sum = time.Now(), "1"
	if sum == o.Sum {
		o.Queue, o.Same = nil, true
	}
	return o, nil
}

func (u unchanged) Nodes(context.Context) ([]scheduler.Node, error) {
	return []scheduler.Node{{Name: "compute000", State: scheduler.NodeBusy, Raw: "busy", Cores: 4, CoresUsed: 4}}, nil
}

// oneManager reaches the scheduler and nothing else.
type oneManager struct{ sched scheduler.Scheduler }

func (oneManager) Listen(string) error                    { return nil }
func (oneManager) Forget(string)                          {}
func (oneManager) Present(string) bool                    { return true }
func (oneManager) Node(string) link.Node                  { return nil }
func (m oneManager) Scheduler(string) scheduler.Scheduler { return m.sched }

func withOpenJobs(b *testing.B, count int) (*Control, context.Context, *store.Cluster) {
	b.Helper()
	db := openStore(b, store.Place{Dir: b.TempDir()})
	now := time.Now()
	c := &store.Cluster{ID: "c", Owner: "o", Status: hpc.ClusterRunning, Wanted: true, Created: now, Changed: now}
	node := func(name string, role hpc.Role) *store.Node {
		return &store.Node{ID: "i-" + name, ClusterID: c.ID, Hostname: name, Roles: []hpc.Role{role}, Queue: hpc.DefaultQueue, Status: hpc.NodeRunning,
			InstanceType: hpc.InstanceType{Name: "t", Cores: 4, MemoryMB: 4096}, Wanted: true, Address: "10.0.0.2", SchedState: "busy", CoresUsed: 4, Created: now, Changed: now}
	}
	sched := unchanged{seen: scheduler.Observation{Boot: now}}
	var jobs []*store.Job
	for i := range count {
		id := fmt.Sprint(i + 1)
		spec := hpc.JobSpec{Token: "t" + id, Name: "melt", Queue: hpc.DefaultQueue, UID: 1000, Script: "#!/bin/sh\nexec ./run.sh\n", Nodes: 1, Tasks: 1 + i%4}
		jobs = append(jobs, &store.Job{ID: fmt.Sprintf("j%07d", i), ClusterID: c.ID, PublicID: id, SchedID: id, Token: spec.Token, Owner: "worker", Name: spec.Name,
			Queue: spec.Queue, State: hpc.JobPending, Reason: "Resources", Wanted: true, Released: true, Spec: spec, NodeList: []string{}, Nodes: 1, Cores: spec.Tasks, Tasks: 1,
			Submitted: now, Sight: now, Modified: now})
		sched.seen.Queue = append(sched.seen.Queue, scheduler.Job{ID: id, Token: spec.Token, Name: spec.Name, UID: 1000, Queue: spec.Queue, State: hpc.JobPending, Reason: "Resources", Submit: now, Cores: spec.Tasks})
	}
	ctl := New(Options{Store: db, Links: oneManager{sched}, Limits: DefaultLimits, Log: slog.New(slog.DiscardHandler), Server: "here", MaxNodes: 1})
	fatal(b, db.Change(b.Context(), func(ctx context.Context, tx store.Tx) error {
		settings := hpc.DefaultScale
		settings.Grow = true
		steps := []error{tx.InsertCluster(ctx, c, hpc.Secrets{}), tx.InsertQueue(ctx, &store.Queue{ClusterID: c.ID, Name: hpc.DefaultQueue, IsDefault: true, Created: now}),
			tx.InsertNodes(ctx, []*store.Node{node("manager", hpc.RoleManager), node("compute000", hpc.RoleCompute)}),
			tx.AddAccount(ctx, &store.Account{ClusterID: c.ID, Name: "worker", UserGroup: "users", Added: now}),
			tx.SetScale(ctx, &store.ScaleConfig{ClusterID: c.ID, Settings: settings}, nil)}
		for len(jobs) > 0 {
			some := jobs[:min(500, len(jobs))]
			jobs = jobs[len(some):]
			steps = append(steps, tx.InsertJob(ctx, some...))
		}
		for _, err := range steps {
			if err != nil {
				return err
			}
		}
		return nil
	}))
	fatal(b, ctl.takeLease(b.Context(), c.ID))
	ctx, held := ctl.held(b.Context(), c.ID)
	if !held {
		b.Fatal("no lease")
	}
	return ctl, ctx, c
}
