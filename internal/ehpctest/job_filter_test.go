package ehpctest

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// withPastJobs is a cluster with jobs of known times. a ran 30 s after 1 s of
// waiting, b 10 s after 20 s, c has not started; each was submitted 100 s after
// the one before. d is deleted.
func withPastJobs(t *testing.T) (p *Plane, id string) {
	t.Helper()
	_, p, id = withLongJobs(t)
	at := func(s int) time.Time { return time.Unix(int64(1_000_000+s), 0).UTC() }
	must(t, p.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
		for _, j := range []*store.Job{
			{PublicID: "a", Name: "melt", Owner: "worker", Queue: "workq", State: hpc.JobCompleted, Submitted: at(0), Started: at(1), Ended: at(31), NodeList: []string{"compute000", "compute001"}, ExitCode: 0},
			{PublicID: "b", Name: "pour", Owner: "worker", Queue: "big", State: hpc.JobFailed, Submitted: at(100), Started: at(120), Ended: at(130), NodeList: []string{"compute001"}, ExitCode: 3, CommandLine: "./pour.sh"},
			{PublicID: "c", Name: "melt", Owner: "another", Queue: "workq", State: hpc.JobPending, Submitted: at(200), NodeList: []string{}, Released: true},
			{PublicID: "d", Name: "melt", Owner: "worker", Queue: "workq", State: hpc.JobCompleted, Submitted: at(300), Started: at(301), Ended: at(302), NodeList: []string{}, Deleted: at(400)},
		} {
			j.ID, j.ClusterID, j.SchedID, j.Wanted, j.Modified = store.NewID(), id, "9"+j.PublicID, true, j.Submitted
			if err := tx.InsertJob(ctx, j); err != nil {
				return err
			}
		}
		return nil
	}))
	return p, id
}

func TestListJobsWithFilters(t *testing.T) {
	t.Parallel()
	p, id := withPastJobs(t)
	for _, c := range []struct{ name, params, want string }{
		{"nothing shows all, newest first", "", "c b a"},
		{"a name is the whole name", "JobName=melt", "c a"},
		{"a part of a name is none", "JobName=mel", ""},
		{"ended ones", "JobStatus=finished", "b a"},
		{"those that have not ended", "JobStatus=notfinish", "c"},
		{"accounts", "Users.1=worker&Users.2=nobody", "b a"},
		{"accounts as JSON text", `Users=["worker","nobody"]`, "b a"},
		{"accounts at commas", "Users=worker,nobody", "b a"},
		{"queues as JSON text", `Queues=["big"]`, "b"},
		{"a host as a word", "Nodes=compute000", "a"},
		{"queues", "Queues.1=big&Queues.2=workq", "c b a"},
		{"one queue", "Queues.1=big", "b"},
		{"hosts", "Nodes.1=compute000", "a"},
		{"several hosts and an account", "Nodes.1=compute000&Nodes.2=compute001&Users.1=worker", "b a"},
		{"a host's name is no pattern", "Nodes.1=compute%25", ""},
		{"submitted from a second on", "CreateTimeStart=1000100", "c b"},
		{"submitted until a second, it included", "CreateTimeEnd=1000100", "b a"},
		{"between two seconds", "CreateTimeStart=1000001&CreateTimeEnd=1000199", "b"},
		{"the longest waiting first", "PendOrder=desc", "c b a"},
		{"the shortest waiting first", "PendOrder=asc", "a b c"},
		{"the longest running first", "ExecuteOrder=desc", "a b c"},
		{"the oldest first", "SubmitOrder=asc", "a b c"},
		{"a filter and an order", "ExecuteOrder=asc&JobStatus=finished", "b a"},
		{"the second page", "PageSize=2&PageNumber=2", "a"},
		{"the second page of an order", "PageSize=2&PageNumber=2&SubmitOrder=asc", "c"},
		{"a page beyond the last", "PageSize=2&PageNumber=9&SubmitOrder=asc", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			params, err := url.ParseQuery(c.params)
			must(t, err)
			params.Set("ClusterId", id)
			text, err := p.Call(t.Context(), "ListJobsWithFilters", params)
			must(t, err)
			var a api.ListJobsWithFiltersResponse
			must(t, json.Unmarshal(text, &a))
			var got []string
			for _, j := range a.Jobs {
				got = append(got, j.Id)
			}
			if !slices.Equal(got, strings.Fields(c.want)) || !a.Success || strings.Contains(c.params, "Page") && a.TotalCount != 3 {
				t.Errorf("jobs %v of %d, want %s", got, a.TotalCount, c.want)
			}
		})
	}
	for _, c := range []struct{ param, value string }{
		{"JobStatus", "running"}, {"CreateTimeStart", "yesterday"}, {"CreateTimeEnd", "-1"}, {"CreateTimeEnd", "99999999999999999999"},
		{"ExecuteOrder", "up"}, {"PendOrder", "ASC"}, {"SubmitOrder", "down"}, {"PageSize", "1001"},
	} {
		t.Run(c.param+" is refused as "+c.value, func(t *testing.T) {
			_, err := p.Call(t.Context(), "ListJobsWithFilters", url.Values{"ClusterId": {id}, c.param: {c.value}})
			if got := codeOf(t, err); got != "InvalidParams" || !strings.Contains(err.Error(), c.param) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestDescribeJob(t *testing.T) {
	t.Parallel()
	p, id := withPastJobs(t)
	var a api.DescribeJobResponse
	must(t, p.Do(t.Context(), &api.DescribeJobRequest{ClusterId: id, JobId: "b"}, &a))
	var jobs map[string]struct {
		Id, State, Queue, CommandLine, EndTime, NodeList string
		ExitCode                                         int
	}
	must(t, json.Unmarshal([]byte(a.Message.JobInfo), &jobs))
	if got := jobs["b"]; len(jobs) != 1 || got.Id != "b" || got.State != "FAILED" || got.Queue != "big" || got.CommandLine != "./pour.sh" ||
		got.EndTime != "1970-01-12T13:48:50" || got.NodeList != `["compute001"]` || got.ExitCode != 3 {
		t.Errorf("%s", a.Message.JobInfo)
	}
	for _, gone := range []string{"d", "77"} {
		err := p.Do(t.Context(), &api.DescribeJobRequest{ClusterId: id, JobId: gone}, &a)
		if got := codeOf(t, err); got != "ObjectNotFound" || !strings.Contains(err.Error(), gone) {
			t.Errorf("job %s: %v", gone, err)
		}
	}
}
