package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/client"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
	"ehpc/test/e2e/rig"
)

// The month that reports are made of.
const (
	manyRuns  = 1_000_000
	runsNodes = 200
	runsUsers = 50
)

var monthBegin = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)

// reports asks for reports of most of a month, over HTTP and signed. The begin
// and the end of each are within an hour, so that there is something to add up
// that no sum holds.
func reports(b *testing.B, _ *world, t *table) {
	c, db := withStore(b, 1)
	fillRuns(b, db)
	debug.FreeOSMemory()
	before := resident(b, os.Getpid())
	most, stop := mostResident(b)
	var sums []string
	for _, kind := range []string{"total_report", "number_report", "cost_report"} {
		for _, dim := range []string{"user", "queue", "instance"} {
			sums = append(sums, "ReportType="+kind+"&Dim="+dim)
		}
	}
	jobs := []string{"ReportType=job_report", "ReportType=job_report&Dim=user&FilterValue=user7", "ReportType=job_report&Dim=queue&FilterValue=queue1", "ReportType=cost_report&Dim=job"}
	rows := []*row{
		measureReport(b, c, 70, "GetAccountingReport over 1,000,000 runs: sums by user, queue and instance type", sums),
		measureReport(b, c, 71, "GetAccountingReport over 1,000,000 runs: any page of their rows, of all, of a user, of a queue", jobs),
	}
	stop()
	for _, r := range rows {
		r.note += fmt.Sprintf("; memory rose by %s MB", short(*most-before))
		t.add(b, r)
	}
}

func measureReport(b *testing.B, c *client.Client, place int, what string, queries []string) *row {
	b.Helper()
	const each, size = 8, 50
	random := rand.New(rand.NewPCG(1, 2))
	r := &row{place: place, what: what, unit: "ms p99", goal: atMost(500, "ms p99")}
	var all []float64
	worst, worstName := 0.0, ""
	for _, query := range queries {
		last := 1 // page
		for i := range each {
			from := monthBegin.Add(25*time.Hour + time.Duration(random.IntN(3600))*time.Second)
			params, err := url.ParseQuery(query)
			rig.Must(b, err)
			params.Set("ClusterId", "ehpc-hz-large")
			params.Set("StartTime", strconv.FormatInt(from.Unix(), 10))
			params.Set("EndTime", strconv.FormatInt(from.Add(27*24*time.Hour+14*time.Minute).Unix(), 10))
			params.Set("PageSize", strconv.Itoa(size))
			params.Set("PageNumber", strconv.Itoa([]int{1, (1 + last) / 2, last, 1 + random.IntN(last)}[i%4]))
			at := time.Now()
			answer, err := c.Call(b.Context(), "GetAccountingReport", params)
			took := milliseconds(time.Since(at))
			rig.Must(b, err)
			var a api.GetAccountingReportResponse
			rig.Must(b, json.Unmarshal(answer, &a))
			last = max(1, a.TotalCount/size) // of those that are full
			if len(a.Data.Data) < min(a.TotalCount, size) {
				b.Fatalf("%s has %d rows on page %s, of %d in all", query, len(a.Data.Data), params.Get("PageNumber"), a.TotalCount)
			}
			all = append(all, took)
			if took > worst {
				worst, worstName = took, query
			}
		}
	}
	r.ours = []float64{quantile(all, 0.99)}
	r.note = fmt.Sprintf("median %s ms", short(middle(all)))
	b.Logf("slowest: %s", worstName)
	return r
}

// fillRuns writes a month of runs down as the service does when jobs end.
func fillRuns(b *testing.B, db *store.Store) {
	b.Helper()
	first := monthBegin.Add(-time.Hour)
	rig.Must(b, db.Change(b.Context(), func(ctx context.Context, tx store.Tx) error {
		c := &store.Cluster{ID: "ehpc-hz-large", Name: "large", Owner: "owner", Status: hpc.ClusterRunning, Wanted: true, Scheduler: "slurm", Created: first, Changed: first}
		if err := tx.InsertCluster(ctx, c, hpc.Secrets{}); err != nil {
			return err
		}
		var nodes []*store.Node
		for n := range runsNodes {
			nodes = append(nodes, &store.Node{ID: fmt.Sprintf("i-%020d", n), ClusterID: c.ID, Hostname: fmt.Sprint("compute", n), Roles: []hpc.Role{hpc.RoleCompute},
				InstanceType: hpc.InstanceType{Name: fmt.Sprint("type", n%5), Cores: 16, MemoryMB: 1024}, Queue: fmt.Sprint("queue", n%4), CreateMode: "manual",
				Status: hpc.NodeRunning, Wanted: true, Created: first, Changed: first})
		}
		if err := tx.InsertNodes(ctx, nodes); err != nil {
			return err
		}
		for _, n := range nodes {
			if err := tx.BeginSpan(ctx, n.ID, hpc.MoneyOf(0.64), first); err != nil {
				return err
			}
		}
		return nil
	}))
	for from := 0; from < manyRuns; from += 5000 {
		var l store.Ledger
		for n := from; n < from+5000; n++ {
			r := largeRun(n)
			l.Runs, l.Ended = append(l.Runs, r), append(l.Ended, r.JobID)
		}
		rig.Must(b, db.Change(b.Context(), func(ctx context.Context, tx store.Tx) error { return tx.RecordRuns(ctx, "ehpc-hz-large", l) }))
	}
}

// largeRun is the n-th run of the month.
func largeRun(n int) *store.Run {
	started, host := monthBegin.Add(time.Duration(n)*(30*24*time.Hour/manyRuns)), n%runsNodes
	id := strconv.Itoa(manyRuns + n) // as many digits for all
	return &store.Run{ClusterID: "ehpc-hz-large", JobID: "j" + id, PublicID: id, SchedID: id, OwnID: id,
		Account: fmt.Sprint("user", n%runsUsers), Name: fmt.Sprint("job-", n%500), Queue: fmt.Sprint("queue", host%4),
		Shares: []hpc.NodeShare{{Host: fmt.Sprint("compute", host), Cores: 1 + n%4}}, Cores: 1 + n%4, Submitted: started.Add(-time.Minute), Started: started,
		Ended: started.Add(time.Duration(60+n%37*20) * time.Second), State: hpc.JobCompleted, Final: true}
}
