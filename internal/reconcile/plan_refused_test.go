package reconcile

import (
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

func TestJobsThatANodeRefuses(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	row := func() *store.Job {
		return &store.Job{ID: "j1", PublicID: "1", SchedID: "1", Token: "ehpct", State: hpc.JobPending, Wanted: true, Released: true, NodeList: []string{}}
	}
	t.Run("they are looked at, a few times", func(t *testing.T) {
		for restarts, want := range map[int]int{1: 1, startsLimit: 1, startsLimit + 1: 0} {
			r := row()
			seen := scheduler.Observation{Begun: now, Queue: []scheduler.Job{{ID: "1", State: hpc.JobPending, Refused: true, Restarts: restarts}}}
			if p := planJobs(now, &jobsView{Open: []*store.Job{r}, Seen: seen}); len(p.Refused) != want {
				t.Errorf("after %d restarts: plan %+v", restarts, p)
			}
		}
	})
	run := hpc.Run{Token: "ehpct", N: 1, Host: "a"}
	ended, killed := run, run
	ended.Ended, killed.Ended, killed.Killed, killed.ExitCode = now, now, "it was killed", 137
	for name, c := range map[string]struct {
		runs     []hpc.Run
		state    hpc.JobState
		released bool
		saved    bool
	}{
		"what has not run is released":         {nil, hpc.JobPending, false, true},
		"what has ended has that end":          {[]hpc.Run{ended}, hpc.JobCompleted, true, true},
		"what goes on is waited for":           {[]hpc.Run{run}, hpc.JobPending, true, false},
		"what was killed and may not be rerun": {[]hpc.Run{killed}, hpc.JobFailed, true, true},
	} {
		r := row()
		p := planLost(now, r, c.runs, refused, func(hpc.Run) whereabouts { return mayRun })
		if r.State != c.state || r.Released != c.released || p.Save != c.saved || r.Attempt != 0 {
			t.Errorf("%s: plan %+v, row %+v", name, p, r)
		}
	}
}

func TestANodeThatWasDrainedByMistakeIsResumed(t *testing.T) {
	t.Parallel()
	n := &store.Node{ID: "i-a", Hostname: "a", Roles: []hpc.Role{hpc.RoleCompute}, Wanted: true, Status: hpc.NodeRunning, BootID: "b", Plan: "p.m"}
	for _, mistaken := range []bool{true, false} {
		v := &clusterView{Cluster: &store.Cluster{Wanted: true, Status: hpc.ClusterRunning}, Nodes: []*store.Node{n}, Present: map[string]bool{"i-a": true},
			Machines: map[string]provider.Machine{"i-a": {ID: "i-a", State: provider.Running, BootID: "b"}}, Plans: map[string]string{"i-a": "p.m"},
			Sched: map[string]scheduler.Node{"a": {Name: "a", State: scheduler.NodeDrained, Mistaken: mistaken}}}
		steps := planNodes(time.Unix(1_000_000, 0), v, DefaultLimits)
		if resumed := len(steps) == 1 && steps[0].Act == resumeNode; resumed != mistaken {
			t.Errorf("by mistake %v: steps %+v", mistaken, steps)
		}
	}
}
