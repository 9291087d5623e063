package e2e

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// TestJobsRunInTheOrderOfTheirPriority has one job at a time on a node, through
// what takes a job out of its place in the queue and back.
func TestJobsRunInTheOrderOfTheirPriority(t *testing.T) {
	t.Parallel()
	k := newController(t)
	with := func(priority int) func(*api.SubmitJobRequest) {
		return func(q *api.SubmitJobRequest) { q.Priority = &priority }
	}
	first := k.submit(t, "p50", enter+leave, rerunable, onAllCores, with(50))
	k.AwaitJob(t, first, "RUNNING")
	ids := map[int]string{50: first}
	for _, priority := range []int{-1, 10, 1, -100, 100, 0} {
		ids[priority] = k.submit(t, fmt.Sprintf("p%d", priority), enter+leave, onAllCores, with(priority))
	}
	for _, id := range ids {
		rig.Until(t, "job "+id+" is released", rig.ComeUp, func() bool {
			return !strings.Contains(k.Inside(t, k.manager, "squeue --noheader --all --format=%r --jobs="+id), "Held")
		})
	}
	k.Inside(t, k.manager, fmt.Sprintf(`su - lovelace -c "scontrol hold %[1]s && scontrol release %[1]s"`, ids[10]))
	k.Inside(t, k.manager, fmt.Sprintf(`su - lovelace -c "scontrol requeue %s"`, first))
	k.AwaitJob(t, ids[100], "RUNNING")
	k.Inside(t, k.manager, "scontrol update starttime=now jobid="+first)
	k.stop(t)
	k.start(t)
	k.let(t)
	for _, id := range ids {
		k.AwaitJob(t, id, "COMPLETED")
	}
	starts, err := os.ReadFile(k.Volume("home", "lovelace", "starts"))
	rig.Must(t, err)
	if got, want := strings.Fields(string(starts)), strings.Fields("p50 p100 p50 p10 p1 p0 p-1 p-100"); !slices.Equal(got, want) {
		t.Errorf("the jobs started in the order of %v, want %v", got, want)
	}
	for priority, id := range ids {
		if job := k.Job(t, id); job.Priority != strconv.Itoa(priority) {
			t.Errorf("job %s of priority %d is listed with %s", id, priority, job.Priority)
		}
	}
	k.Delete(t)
}
