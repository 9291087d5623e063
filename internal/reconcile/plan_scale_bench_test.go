package reconcile

import (
	"fmt"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// BenchmarkPlanScale plans for 10,000 nodes and 100,000 waiting jobs of forty
// kinds in four queues, from what was observed on.
func BenchmarkPlanScale(b *testing.B) {
	now := time.Unix(1_000_000, 0)
	v, seen := largeScale(now)
	b.ReportAllocs()
	for b.Loop() {
		v.Waiting = waitingJobs(v.Jobs, seen, nil)
		if steps := planScale(now, v); len(steps) < 4 {
			b.Fatalf("%d steps", len(steps))
		}
	}
}

// largeScale is a cluster where two nodes in three are busy and most of the others
// too small for what waits.
func largeScale(now time.Time) (v *scaleView, seen scheduler.Observation) {
	const nodes, jobs, queues = 10_000, 100_000, 4
	v = scaleViewOf(0)
	v.Config.Settings.MaxNodes, v.Limit, v.Queues = 12_000, 12_000, nil
	for q := range queues {
		v.Queues = append(v.Queues, &store.Queue{Name: fmt.Sprint("queue", q)})
	}
	v.more(nodes, hpc.NodeRunning)
	for i, n := range v.Nodes[1:] {
		n.Queue = fmt.Sprint("queue", i%queues)
		if i%3 > 0 {
			v.Sched[n.Hostname] = scheduler.Node{Name: n.Hostname, State: scheduler.NodeBusy, Cores: 4, CoresUsed: 1 + i%4, MemUsedMB: 1024 * (i % 8)}
		}
	}
	for i := range jobs {
		id, queue := fmt.Sprint(i+1), fmt.Sprint("queue", i%queues)
		spec := hpc.JobSpec{Nodes: 1 + i%100/97, Tasks: 1 + i%4, MemoryMB: 512 * (i % 5)}
		v.Jobs = append(v.Jobs, &store.Job{ID: "j" + id, SchedID: id, Token: "t" + id, Queue: queue, Wanted: true, Released: true, Spec: spec})
		seen.Queue = append(seen.Queue, scheduler.Job{ID: id, Token: "t" + id, Queue: queue, State: hpc.JobPending, Reason: "Resources", Submit: now, Cores: spec.Tasks})
	}
	return v, seen
}
