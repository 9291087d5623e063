package ehpctest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
)

// TestNoJobIsLostOrRunTwice submits jobs while controllers, the control plane
// and nodes are killed under them.
func TestNoJobIsLostOrRunTwice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			chaos(t, rand.New(rand.NewPCG(seed, 1)), 40, nil)
		})
	}
}

// TestChaosFindsAMissingFence shows that the test above can fail: without the
// claims jobs run twice.
func TestChaosFindsAMissingFence(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		var faults []string
		chaos(t, rand.New(rand.NewPCG(seed, 2)), 40, &faults)
		if len(faults) > 0 {
			return
		}
	}
	t.Error("jobs without claims never ran twice")
}

// ran counts how often each job's script came to its end.
type ran struct {
	mu    sync.Mutex
	times map[string]int
}

// chaos runs so many jobs and reports what is wrong with them: to unfenced, with
// which they run without claims, or to t.
func chaos(t *testing.T, r *rand.Rand, jobs int, unfenced *[]string) {
	w := NewWorld(provfake.Options{})
	dir := t.TempDir()
	p := Start(t, w, Options{Dir: dir})
	id := withAccount(t, w, p, 3)
	s := w.SchedulerOf(id)
	count := ran{times: map[string]int{}}
	lengths := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
	s.Script(func(hpc.JobSpec, string) schedfake.Outcome { // one at a time
		return schedfake.Outcome{Duration: time.Duration(1+lengths.IntN(15)) * time.Millisecond}
	})
	ended := func(run hpc.Run) {
		count.mu.Lock()
		defer count.mu.Unlock()
		count.times[run.Token]++
	}
	if unfenced != nil {
		s.Guarded(schedfake.Fence{
			Claim: func(run hpc.Run, _ int) (hpc.Run, string, int) { return run, "begin", 0 },
			End:   func(run hpc.Run, _ int) { ended(run) },
		})
	} else {
		w.OnEnd(id, ended)
	}
	submitted := map[string]string{} // by public id, whether it may be rerun
	for i := range jobs {
		q := url.Values{"ClusterId": {id}, "CommandLine": {fmt.Sprintf("./job%d.sh", i)}, "RunasUser": {"worker"}, "RunasUserPassword": {password},
			"ReRunable": {strconv.FormatBool(r.IntN(2) == 0)}, "ClientToken": {fmt.Sprintf("job-%d", i)}}
		p = submitAnyway(t, w, p, dir, q, submitted, r)
	}
	var rows []api.ListJobsJobInfo
	p.Until(t, "every job has ended", func() bool {
		if unfenced != nil { // nothing else tells that a job has ended which the controller takes for running
			s.AskNodes()
		}
		rows = p.jobs(t, id)
		open := 0
		for _, j := range rows {
			if !hpc.JobState(j.State).Ended() {
				open++
			}
		}
		return open == 0 && len(rows) == len(submitted)
	})
	if unfenced == nil {
		p.checkLedger(t, id)
	}
	for _, j := range rows {
		found, err := p.Store.Read().JobsOfPublic(t.Context(), id, []string{j.Id})
		must(t, err)
		row := found[0]
		runs, err := w.GuardOf(id).Runs(t.Context(), row.Token)
		must(t, err)
		count.mu.Lock()
		times := count.times[row.Token]
		count.mu.Unlock()
		fault := wrong(j, times, runs)
		switch {
		case fault == "":
		case unfenced != nil:
			*unfenced = append(*unfenced, fault)
		default:
			t.Errorf("job %s (rerunable %s) is %s and came to its end %d times: %s; its row: %+v; its runs: %+v", j.Id, submitted[j.Id], j.State, times, fault, row, runs)
		}
	}
}

func wrong(j api.ListJobsJobInfo, times int, runs []hpc.Run) string {
	killed := 0
	for _, r := range runs {
		if r.Killed != "" {
			killed++
		}
	}
	switch {
	case times > 1:
		return "it ran more than once"
	case (j.State == string(hpc.JobCompleted)) != (times == 1):
		return "its state is not true"
	case times == 0 && killed == 0:
		return "it never ran"
	}
	return ""
}

// submitAnyway submits a job, and may kill something after it.
func submitAnyway(t *testing.T, w *World, p *Plane, dir string, q url.Values, submitted map[string]string, r *rand.Rand) *Plane {
	id := q.Get("ClusterId")
	ask := func() string {
		var a api.SubmitJobResponse
		text, err := p.Call(t.Context(), "SubmitJob", q)
		must(t, err)
		must(t, json.Unmarshal(text, &a))
		return a.JobId
	}
	jobID := ask()
	if r.IntN(4) == 0 { // a client that did not hear the answer
		if again := ask(); again != jobID {
			t.Errorf("the token of job %s was answered with job %s", jobID, again)
		}
	}
	submitted[jobID] = q.Get("ReRunable")
	time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
	switch r.IntN(12) {
	case 0, 1, 2:
		w.SchedulerOf(id).Crash(time.Duration(r.IntN(60)) * time.Millisecond)
	case 3:
		p.Kill()
		p = Start(t, w, Options{Dir: dir})
	case 4:
		for _, n := range p.Nodes(t, id) {
			if n.HostName == fmt.Sprintf("compute%03d", r.IntN(3)) {
				w.SchedulerOf(id).PowerOff(n.HostName)
				w.Machines.Kill(n.Id)
			}
		}
	}
	return p
}
