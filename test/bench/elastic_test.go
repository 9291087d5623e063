package bench

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/config"
	"ehpc/internal/ehpctest"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/reconcile"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
	"ehpc/test/e2e/rig"
)

// Nodes that grow and go: as many clusters as it takes, for one has 250 at most.
const (
	fleetClusters = 3
	fleetNodes    = 200 // of each
)

// fleet has clusters grow by an array job each and shrink again. Machines and
// schedulers are in memory; the store, the loops, the link and its sockets are
// the real ones, and all of them, with the agents' ends, are in this process.
func fleet(b *testing.B, _ *world, t *table) {
	debug.FreeOSMemory()
	most, stop := mostResident(b)
	w := ehpctest.NewWorld(provfake.Options{})
	limits := reconcile.DefaultLimits
	limits.Minute = time.Second
	p := ehpctest.Start(b, w, ehpctest.Options{Engine: "sqlite", Linked: true, Limits: limits,
		Config: func(c *config.Config) { c.MaxNodes = 250 }})
	ids := make([]string, fleetClusters)
	for i := range ids {
		ids[i] = p.Ask(b, 0)
		w.SchedulerOf(ids[i]).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: time.Hour} })
	}
	each(ids, func(id string) {
		rig.Until(b, "the cluster runs", time.Minute, func() bool { return p.Describe(b, id).Status == "running" })
		rig.Must(b, p.Do(b.Context(), &api.AddUsersRequest{ClusterId: id, User: []api.AddUsersRequestUser{{Name: "worker", Group: "users", Password: "Fleet-2026"}}}, nil))
		rig.Must(b, p.Do(b.Context(), &api.SetAutoScaleConfigRequest{ClusterId: id, EnableAutoGrow: true, EnableAutoShrink: true, MaxNodesInCluster: fleetNodes,
			GrowIntervalInMinutes: 2, GrowTimeoutInMinutes: 60, ShrinkIntervalInMinutes: 2, ShrinkIdleTimes: 2, GrowRatio: 100}, nil))
	})
	begun := time.Now()
	each(ids, func(id string) {
		rig.Must(b, p.Do(b.Context(), &api.SubmitJobRequest{ClusterId: id, CommandLine: "./run.sh", RunasUser: "worker", RunasUserPassword: "Fleet-2026",
			ArrayRequest: fmt.Sprintf("1-%d", fleetNodes), Thread: new(2)}, nil))
	})
	each(ids, func(id string) {
		rig.Until(b, "all tasks run", 5*time.Minute, func() bool { return running(b, w, id) == fleetNodes })
	})
	grown := time.Since(begun)
	each(ids, func(id string) {
		seen, err := w.SchedulerOf(id).Observe(b.Context(), "")
		rig.Must(b, err)
		rig.Must(b, w.SchedulerOf(id).Cancel(b.Context(), seen.Queue[0].Array))
	})
	each(ids, func(id string) {
		rig.Until(b, "its nodes are gone", 5*time.Minute, func() bool {
			nodes, err := p.Store.Read().Nodes(b.Context(), id)
			rig.Must(b, err)
			return !slices.ContainsFunc(nodes, func(n *store.Node) bool { return n.CreateMode == store.Autoscale })
		})
	})
	took := time.Since(begun)
	p.Kill()
	stop()
	t.add(b, &row{place: 65, what: fmt.Sprintf("%d simulated nodes grown and released, %d clusters of %d", fleetClusters*fleetNodes, fleetClusters, fleetNodes),
		unit: "s", goal: goal{"at most 60 s and 1 GB", func(r *row) bool { return middle(r.ours) <= 60 && *most < 1000 }}, ours: []float64{took.Seconds()},
		note: fmt.Sprintf("grown after %s s, %s MB at most with the agents' ends", short(grown.Seconds()), short(*most))})
}

func running(b *testing.B, w *ehpctest.World, id string) (count int) {
	b.Helper()
	seen, err := w.SchedulerOf(id).Observe(b.Context(), "")
	rig.Must(b, err)
	for _, j := range seen.Queue {
		if j.State == hpc.JobRunning {
			count++
		}
	}
	return count
}

// each does something with all of them at a time.
func each[T any](all []T, do func(T)) {
	var wg sync.WaitGroup
	for _, one := range all {
		wg.Go(func() { do(one) })
	}
	wg.Wait()
}

// mostResident watches how much memory this process holds, until stop, in MB.
func mostResident(b *testing.B) (most *float64, stop func()) {
	most = new(float64)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			*most = max(*most, resident(b, os.Getpid()))
			time.Sleep(100 * time.Millisecond)
		}
	})
	return most, func() {
		cancel()
		wg.Wait()
	}
}
