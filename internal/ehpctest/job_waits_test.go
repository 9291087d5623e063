package ehpctest

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
)

func TestAJobSaysWhyItWaits(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: time.Hour} })
	all := p.Nodes(t, id)
	cores := all[slices.IndexFunc(all, func(n api.ListNodesNoPagingNodeInfo) bool { return n.HostName == "compute000" })].TotalResources.Cpu
	submit := func(threads int) string {
		q := job(id, "./run.sh")
		q.Thread = &threads
		var a api.SubmitJobResponse
		must(t, p.Do(t.Context(), q, &a))
		return a.JobId
	}
	shown := func(job string) (comment, reason string) {
		var a api.DescribeJobResponse
		must(t, p.Do(t.Context(), &api.DescribeJobRequest{ClusterId: id, JobId: job}, &a))
		var all map[string]struct{ Comment, Reason string }
		must(t, json.Unmarshal([]byte(a.Message.JobInfo), &all))
		return all[job].Comment, all[job].Reason
	}
	_, waits, never := submit(cores), submit(cores), submit(cores+1)
	const busy = "waits for nodes of queue workq to become free (Resources)"
	p.Until(t, "one for which all nodes are busy says so", func() bool { comment, _ := shown(waits); return comment == busy })
	large := "cannot start: it asks for " + strconv.Itoa(cores+1) + " cores on a node, the largest node of queue workq has " + strconv.Itoa(cores) + " (Resources)"
	p.Until(t, "one that no node is large enough for says so", func() bool { comment, _ := shown(never); return comment == large })
	if _, reason := shown(never); reason != "Resources" {
		t.Errorf("the scheduler's word is %q", reason)
	}
	want := map[string]string{waits: busy, never: large}
	for _, j := range p.jobs(t, id) {
		if want[j.Id] != "" && j.Comment != want[j.Id] {
			t.Errorf("ListJobs says %q of job %s, want %q", j.Comment, j.Id, want[j.Id])
		}
	}
	var a api.ListJobsWithFiltersResponse
	must(t, p.Do(t.Context(), &api.ListJobsWithFiltersRequest{ClusterId: id, PageNumber: 1, PageSize: 50}, &a))
	for _, j := range a.Jobs {
		if want[j.Id] != "" && j.Comment != want[j.Id] {
			t.Errorf("ListJobsWithFilters says %q of job %s, want %q", j.Comment, j.Id, want[j.Id])
		}
	}
	if len(a.Jobs) != 3 || hpc.JobState(a.Jobs[2].State) != hpc.JobRunning || a.Jobs[2].Comment != "" {
		t.Errorf("all jobs: %+v", a.Jobs)
	}
}
