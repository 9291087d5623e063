package main

import (
	"strings"
	"testing"

	"ehpc/api"
)

func TestPeopleReadTimesInTheirZone(t *testing.T) {
	t.Parallel()
	const (
		zoned, bare = "2026-11-23T20:30:00Z", "2026-11-23T20:30:00" // as the API has them
		here        = "2026-11-24 02:15:00"
	)
	ran := job{Id: "7", State: "COMPLETED", SubmitTime: bare, StartTime: bare, LastModifyTime: bare}
	log, named := logs("one"), clusters("lab")
	log.Logs.LogInfo[0].CreateTime, named.Clusters.ClusterInfoSimple[0].CreateTime = zoned, zoned
	info := cluster("running", "")
	info.ClusterInfo.CreateTime = zoned
	var users api.ListUsersResponse
	users.Users.UserInfo = []api.ListUsersUserInfo{{Name: "lovelace", AddTime: zoned}}
	var budgets api.ListBudgetsResponse
	budgets.Budgets.BudgetInfo = []api.ListBudgetsBudgetInfo{{ReachedTime: zoned}}
	for line, c := range map[string]struct {
		answers map[string][]any
		times   int
		exact   bool // with the zone
	}{
		"cluster list":           {map[string][]any{"ListClusters": {named}}, 1, false},
		"cluster show ehpc-hz-1": {map[string][]any{"DescribeCluster": {info}}, 1, true},
		"cluster logs ehpc-hz-1": {map[string][]any{"ListClusterLogs": {log}}, 1, false},
		"user list ehpc-hz-1":    {map[string][]any{"ListUsers": {users}}, 1, false},
		"budget list ehpc-hz-1":  {map[string][]any{"ListBudgets": {budgets}}, 1, false},
		"job list ehpc-hz-1":     {map[string][]any{"ListJobs": {jobs(ran)}}, 2, false},
		"job show ehpc-hz-1 7": {map[string][]any{"DescribeJob": {api.DescribeJobResponse{Message: api.DescribeJobMessage{
			JobInfo: `{"7":{"Id":"7","State":"COMPLETED","SubmitTime":"` + bare + `","StartTime":"` + bare + `","EndTime":"` + bare + `"}}`}}}}, 3, true},
		"node reclaim ehpc-hz-1 i-3": {map[string][]any{"ReclaimNodes": {api.ReclaimNodesResponse{ReclaimTime: zoned}}}, 1, true},
		"report ehpc-hz-1 --from " + zoned + " --to 2026-12-01T00:00:00Z": {map[string][]any{
			"GetAccountingReport": {api.GetAccountingReportResponse{}}}, 1, true},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			got := newService(t, c.answers).run("", nil, strings.Fields(line)...)
			want := here
			if c.exact {
				want += " NPT"
			}
			if strings.Count(got.out, want) != c.times || strings.Contains(got.out, "20:30") || !c.exact && strings.Contains(got.out, "NPT") {
				t.Errorf("%d times %q should stand in\n%s%s", c.times, want, got.out, got.err)
			}
		})
	}
	t.Run("and programs those of the API", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"ListJobs": {jobs(ran)}})
		s.run("", nil, "job", "list", "ehpc-hz-1", "-o", "json").want(t, exitDone, `"SubmitTime": "`+bare+`"`, "")
	})
}
