package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ehpc/api"
)

// logs is the newest page of a log with these messages, oldest first.
func logs(messages ...string) api.ListClusterLogsResponse {
	a := api.ListClusterLogsResponse{TotalCount: len(messages), PageNumber: 1, PageSize: 50}
	for i := len(messages) - 1; i >= 0; i-- {
		a.Logs.LogInfo = append(a.Logs.LogInfo, api.ListClusterLogsLogInfo{
			CreateTime: "2026-11-23T12:00:00Z", Level: "info", Operation: "CreateCluster", Message: messages[i]})
	}
	return a
}

func TestClusterLogs(t *testing.T) {
	t.Parallel()
	gone := refusal{api.ClusterNotFound, "there is none"}

	t.Run("are shown from the oldest on", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"ListClusters": {clusters("lab")}, "ListClusterLogs": {logs("one", "two")}})
		if got := s.run("", nil, "cluster", "logs", "lab"); got.status != 0 || strings.Index(got.out, "one") > strings.Index(got.out, "two") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("are followed, each line once, until the cluster is gone", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"ListClusters": {clusters("lab")},
			"ListClusterLogs": {logs("one", "two"), logs("one", "two"), logs("one", "two", "three"), gone}})
		got := s.run("", nil, "cluster", "logs", "lab", "-f")
		got.want(t, 0, "three", "cluster lab (ehpc-hz-1) is gone")
		for _, line := range []string{"TIME", "one", "two", "three"} {
			if strings.Count(got.out, line) != 1 {
				t.Errorf("%s stands in the output %d times:\n%s", line, strings.Count(got.out, line), got.out)
			}
		}
	})
	t.Run("are JSON, a line for each entry, when they are followed", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"ListClusters": {clusters("lab")}, "ListClusterLogs": {logs("one", "two"), gone}})
		got := s.run("", nil, "cluster", "logs", "lab", "-f", "-o", "json")
		for line := range strings.Lines(got.out) {
			var entry api.ListClusterLogsLogInfo
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Message == "" {
				t.Errorf("%q: %v", line, err)
			}
		}
		if strings.Count(got.out, "\n") != 2 {
			t.Errorf("got %q", got.out)
		}
	})
	t.Run("of a cluster that was never there are an error", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"ListClusterLogs": {gone}})
		s.run("", nil, "cluster", "logs", "ehpc-hz-9", "-f").want(t, exitRefused, "", "there is none (ClusterNotFound")
	})
}

// cancelling cancels when something is written to it.
type cancelling struct{ cancel func() }

func (c cancelling) Write(p []byte) (int, error) {
	c.cancel()
	return len(p), nil
}

func TestCtrlCEndsTheFollowingOfALogWell(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{"ListClusterLogs": {logs("one")}})
	ctx, cancel := context.WithCancel(t.Context())
	env := map[string]string{envEndpoint: s.address, envKeyID: "id", envKeySecret: "secret"}
	root := newRoot(&cli{env: func(name string) string { return env[name] }, every: time.Millisecond})
	var errs strings.Builder
	root.SetOut(cancelling{cancel})
	root.SetErr(&errs)
	root.SetArgs([]string{"cluster", "logs", "ehpc-hz-1", "-f"})
	if status := execute(ctx, root); status != 0 || errs.Len() > 0 {
		t.Errorf("status %d, said %q", status, errs.String())
	}
}
