package ehpctest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"

	"ehpc/api"
	provfake "ehpc/internal/provider/fake"
)

// inException is a cluster in exception whose manager is in service: its login
// node cannot be set up, for this reason.
func inException(t *testing.T, w *World, p *Plane, why error) (id string) {
	t.Helper()
	w.FailSetUp("login0", why)
	id = p.Ask(t, 1)
	p.Until(t, "the cluster is in exception, and its manager in service", func() bool {
		manager := slices.ContainsFunc(p.Nodes(t, id), func(n api.ListNodesNoPagingNodeInfo) bool { return n.HostName == "manager" && n.Status == "running" })
		return manager && p.Describe(t, id).Status == "exception"
	})
	return id
}

func TestAClusterInExceptionDoesWhatStillWorks(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := inException(t, w, p, errors.New("no room"))
	call := func(action, params string) string {
		t.Helper()
		values, err := url.ParseQuery(params)
		must(t, err)
		values.Set("ClusterId", id)
		if _, err = p.Call(t.Context(), action, values); err == nil {
			return ""
		}
		return codeOf(t, err)
	}
	for _, c := range []struct{ action, params, code string }{
		{"AddUsers", "User.1.Name=worker&User.1.Group=users&User.1.Password=" + password, ""},
		{"CreateJobFile", "TargetFile=a&Content=b&RunasUser=worker&RunasUserPassword=" + password, ""},
		{"ListJobs", "", ""},
		{"GetJobLog", "JobId=1", "ObjectNotFound"},
		{"StopJobs", `Jobs=[{"Id":"1"}]`, "ObjectNotFound"},
		{"DeleteUsers", "User.1.Name=worker", ""},
		{"SubmitJob", "CommandLine=true&RunasUser=worker&RunasUserPassword=" + password, "InvalidClusterStatus"},
		{"AddNodes", "Count=1", "InvalidClusterStatus"},
	} {
		if got := call(c.action, c.params); got != c.code {
			t.Errorf("%s: code %q, want %q", c.action, got, c.code)
		}
	}
	nodes := p.Nodes(t, id)
	compute := nodes[slices.IndexFunc(nodes, func(n api.ListNodesNoPagingNodeInfo) bool { return n.HostName == "compute000" })].Id
	if got := call("DeleteNodes", "Instance.1.Id="+compute); got != "" {
		t.Errorf("DeleteNodes: code %q", got)
	}
	p.Until(t, "the node is gone", func() bool {
		return !slices.ContainsFunc(p.Nodes(t, id), func(n api.ListNodesNoPagingNodeInfo) bool { return n.Id == compute })
	})
}

func TestNoMessageShowsInternals(t *testing.T) {
	t.Parallel()
	var number struct{ N int }
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"a call that took too long": {context.DeadlineExceeded, "it took too long"},
		"a connection that ended":   {io.ErrUnexpectedEOF, "the connection broke off"},
		"an answer of another form": {json.Unmarshal([]byte(`{"N":"x"}`), &number), "it is not in the form that was expected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := NewWorld(provfake.Options{})
			p := Start(t, w, Options{})
			id := inException(t, w, p, fmt.Errorf("cannot ask: %w", &url.Error{Op: "Post", URL: "http://node/node/apply", Err: c.err}))
			if got := p.Describe(t, id).ErrorMessage; !strings.Contains(got, "cannot set up: cannot ask: "+c.says) {
				t.Errorf("ErrorMessage is %q", got)
			}
			var logs api.ListClusterLogsResponse
			must(t, p.Do(t.Context(), &api.ListClusterLogsRequest{ClusterId: id, PageNumber: 1, PageSize: 100}, &logs))
			told := []string{p.Describe(t, id).ErrorMessage}
			for _, l := range logs.Logs.LogInfo {
				told = append(told, l.Message)
			}
			for _, n := range p.Nodes(t, id) {
				told = append(told, n.LockReason)
			}
			for _, text := range told {
				showsNoInternals(t, name, text)
			}
		})
	}
}
