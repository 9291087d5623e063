package bench

import (
	"fmt"
	"testing"
	"time"

	"ehpc/api"
)

// elastic is the queue that has nodes only while jobs wait for them.
const elastic = "elastic"

// grown measures from the submission of a job to a queue without nodes to the
// job's first instruction on the node that was made for it.
func grown(b *testing.B, w *world, t *table) {
	w.start(b)
	const rounds = 3
	r := &row{place: 61, what: "SubmitJob to a queue without nodes until the job runs on its new node", beside: "sbatch and Slurm's own power saving",
		unit: "s", goal: atMost(3, "s")}
	settings := &api.SetAutoScaleConfigRequest{ClusterId: w.cluster.ID, MaxNodesInCluster: computes + 1, GrowIntervalInMinutes: 2,
		ShrinkIntervalInMinutes: 2, ShrinkIdleTimes: 3, GrowTimeoutInMinutes: 20, GrowRatio: 100}
	w.cluster.Do(b, &api.AddQueueRequest{ClusterId: w.cluster.ID, QueueName: elastic}, nil)
	settings.Queues = []api.SetAutoScaleConfigRequestQueues{{QueueName: elastic, EnableAutoGrow: true}}
	w.cluster.Do(b, settings, nil)
	c := startCloud(b, w.bare)
	for i := range rounds {
		name := fmt.Sprintf("grown-%d", i)
		file := volume(w.cluster, "home", w.as.Name, name)
		begun := time.Now()
		w.cluster.Do(b, &api.SubmitJobRequest{ClusterId: w.cluster.ID, CommandLine: "date +%s.%N > " + name, JobQueue: elastic,
			RunasUser: w.as.Name, RunasUserPassword: w.as.Password}, nil)
		await(b, file, 1)
		r.ours = append(r.ours, seconds(b, text(b, file))-float64(begun.UnixNano())/1e9)
		w.quiet(b)
		w.drop(b, 1)
		r.theirs = append(r.theirs, c.run(b, name)) // longer than two of its minutes, between two rounds of growing
		c.suspend(b)
	}
	t.add(b, r)
	c.end(b)
	settings.Queues = nil
	w.cluster.Do(b, settings, nil)
	w.cluster.Do(b, &api.DeleteQueueRequest{ClusterId: w.cluster.ID, QueueName: elastic}, nil)
}
