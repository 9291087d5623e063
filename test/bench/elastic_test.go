package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/config"
	"ehpc/internal/ehpctest"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/reconcile"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/test/e2e/rig"
)

// Nodes that grow and go: as many clusters as it takes, for one has 250 at most.
const (
	fleetClusters = 20
	fleetNodes    = 200 // of each
	fleetOthers   = 2   // its manager and its login node
)

// fleet has clusters grow by an array job each and shrink again. Machines and
// schedulers are in memory; the store, the loops, the link and its sockets are
// the real ones, and all of them, with the agents' ends, are in this process.
func fleet(b *testing.B, _ *world, t *table) {
	debug.FreeOSMemory()
	most, stop := mostResident(b)
	defer stop()
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
	until(b, "the clusters run", ids, func(id string) bool { return p.Describe(b, id).Status == "running" })
	for _, id := range ids {
		rig.Must(b, p.Do(b.Context(), &api.AddUsersRequest{ClusterId: id, User: []api.AddUsersRequestUser{{Name: "worker", Group: "users", Password: "Fleet-2026"}}}, nil))
		rig.Must(b, p.Do(b.Context(), &api.SetAutoScaleConfigRequest{ClusterId: id, EnableAutoGrow: true, EnableAutoShrink: true, MaxNodesInCluster: fleetNodes,
			GrowIntervalInMinutes: 2, GrowTimeoutInMinutes: 60, ShrinkIntervalInMinutes: 2, ShrinkIdleTimes: 2, GrowRatio: 100}, nil))
	}
	begun, spent := time.Now(), processorTime(b)
	rig.Must(b, each(ids, func(id string) error {
		return p.Do(b.Context(), &api.SubmitJobRequest{ClusterId: id, CommandLine: "./run.sh", RunasUser: "worker", RunasUserPassword: "Fleet-2026",
			ArrayRequest: fmt.Sprintf("1-%d", fleetNodes), Thread: new(2)}, nil)
	}))
	until(b, "all nodes are in service and run a task", ids, func(id string) bool {
		_, serve := nodes(b, p, id)
		return tasks(b, w, id) == fleetNodes && serve == fleetNodes+fleetOthers
	})
	grown := time.Since(begun)
	for _, id := range ids {
		seen, err := w.SchedulerOf(id).Observe(b.Context(), "")
		rig.Must(b, err)
		rig.Must(b, w.SchedulerOf(id).Cancel(b.Context(), seen.Queue[0].Array))
	}
	until(b, "the nodes are gone", ids, func(id string) bool {
		all, _ := nodes(b, p, id)
		return all == fleetOthers
	})
	took := time.Since(begun)
	spent = processorTime(b) - spent
	p.Kill()
	stop()
	t.add(b, &row{place: 65, what: fmt.Sprintf("%d simulated nodes grown and released, %d clusters of %d", fleetClusters*fleetNodes, fleetClusters, fleetNodes),
		unit: "s", goal: goal{"at most 60 s and 1 GB", func(r *row) bool { return middle(r.ours) <= 60 && *most < 1000 }}, ours: []float64{took.Seconds()},
		note: fmt.Sprintf("grown after %s s, %s s of processor time, %s MB at most, with the agents' ends", short(grown.Seconds()), short(spent.Seconds()), short(*most))})
}

// tasks is how many tasks run in a cluster.
func tasks(b *testing.B, w *ehpctest.World, id string) (count int) {
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

// nodes counts those of a cluster, and those in service.
func nodes(b *testing.B, p *ehpctest.Plane, id string) (all, inService int) {
	b.Helper()
	rows, err := p.Store.Nodes(b.Context(), id)
	rig.Must(b, err)
	for _, n := range rows {
		if n.Status == hpc.NodeRunning {
			inService++
		}
	}
	return len(rows), inService
}

// fleetLimit is how long each of the fleet's parts may take.
const fleetLimit = 2 * time.Minute

// until waits for something to be so for each of ids, and looks seldom: what is
// measured goes on beside it.
func until(b *testing.B, what string, ids []string, so func(id string) bool) {
	b.Helper()
	deadline := time.Now().Add(fleetLimit)
	for left := ids; ; {
		left = slices.DeleteFunc(slices.Clone(left), so)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("it took longer than %s until %s: it is not so in %d of %d clusters", fleetLimit, what, len(left), len(ids))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// each does something with all of them at a time.
func each[T any](all []T, do func(T) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(all))
	for i, one := range all {
		wg.Go(func() { errs[i] = do(one) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// processorTime is how much of it this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	rig.Must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &r))
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
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
