package ehpctest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
)

// used is what DescribeJob tells of what a job used; nil if it is not known.
func (p *Plane) used(t *testing.T, clusterID, jobID string) map[string]float64 {
	t.Helper()
	var a api.DescribeJobResponse
	must(t, p.Do(t.Context(), &api.DescribeJobRequest{ClusterId: clusterID, JobId: jobID}, &a))
	var jobs map[string]struct{ Used map[string]float64 }
	must(t, json.Unmarshal([]byte(a.Message.JobInfo), &jobs))
	return jobs[jobID].Used
}

func TestAJobTellsWhatItUsedOnceItIsMeasured(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	submit := func() (jobID string, host string) {
		t.Helper()
		var a api.SubmitJobResponse
		must(t, p.Do(t.Context(), job(id, "./run.sh"), &a))
		p.Until(t, "the job has ended and its run is written down", func() bool {
			runs := p.runsOf(t, id, a.JobId)
			return len(runs) == 1 && !runs[0].Ended.IsZero()
		})
		return a.JobId, p.runsOf(t, id, a.JobId)[0].Shares[0].Host
	}
	first, host := submit()
	energy := int64(2500)
	w.Used(id, hpc.Measurement{Job: first, Host: host, Final: true, Parts: []hpc.Used{{CPU: 3 * time.Second, Memory: 40 << 20, Energy: &energy}}})
	p.Until(t, "what the job used is told", func() bool { return p.used(t, id, first) != nil })
	want := func(jobID string, cpu float64) {
		t.Helper()
		if u := p.used(t, id, jobID); u["CpuTime"] != cpu || u["MaxMemory"] != 40<<20 || u["Energy"] != 2.5 || u["Nodes"] != 1 {
			t.Errorf("it used %v", u)
		}
	}
	want(first, 3)
	if _, rows, _ := p.reportRows(t, id, "ReportType", "cost_report", "Dim", "job"); fmt.Sprint(rows[0][1], rows[0][6:]) != fmt.Sprint(first, []any{3., float64(40 << 20), 2.5, 1.}) ||
		fmt.Sprint(rows[1][6:]) != "[<nil> <nil> <nil> <nil>]" {
		t.Errorf("the report by job: %v", rows)
	}
	// Figures that come twice, and to another life of the service, count once.
	w.Used(id, hpc.Measurement{Job: first, Host: host, Final: true, Parts: []hpc.Used{{CPU: time.Hour}}})
	p.Kill()
	p = Start(t, w, Options{Dir: p.dir})
	want(first, 3)

	unseen, _ := submit()
	p.Until(t, "what nobody measured is waited for no longer", func() bool { return p.runsOf(t, id, unseen)[0].Measured })
	if u := p.used(t, id, unseen); u != nil {
		t.Errorf("what nobody measured is told as %v", u)
	}
	want(first, 3)
}
