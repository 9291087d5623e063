package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"ehpc/api"
)

// flaky is the way to a service that is away from one time on to another, as
// often as it is asked in the ways of a restart.
type flaky struct {
	*service
	begun    time.Time
	from, to time.Duration
	fails    []failing
	lost     bool // requests arrive meanwhile, and their answers do not
}

type failing func(*http.Request) (*http.Response, error)

func withError(err error) failing {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func withAnswer(status int, body string) failing {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// aRestart is what clients see of one.
var aRestart = []failing{withError(syscall.ECONNRESET), withError(io.EOF), withError(syscall.ECONNREFUSED),
	withAnswer(502, "<html>"), withAnswer(503, `{"Code":"ServiceUnavailable","Message":"not yet; try again"}`)}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	if since := time.Since(f.begun); since < f.from || since >= f.to {
		return f.answer(r), nil
	}
	if f.lost {
		httptrace.ContextClientTrace(r.Context()).GotConn(httptrace.GotConnInfo{})
		f.answer(r)
	}
	fails := f.fails[0]
	f.fails = append(f.fails[1:], fails)
	return fails(r)
}

func (f *flaky) answer(r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	f.serve(w, r)
	return w.Result()
}

// run runs a command line against the service, in faked time.
func (f *flaky) run(ctx context.Context, args ...string) outcome {
	env := map[string]string{envEndpoint: "127.0.0.1:8412", envKeyID: "id", envKeySecret: "secret", envPassword: "Secret-1"}
	var out, errs bytes.Buffer
	root := newRoot(&cli{env: func(name string) string { return env[name] }, every: 300 * time.Millisecond, http: f})
	root.SetIn(strings.NewReader(""))
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	status := execute(ctx, root)
	return outcome{out.String(), errs.String(), status}
}

// during answers with the first until something has gone on for so long, then
// with the second.
func during(n int, first, second any) []any {
	return append(slices.Repeat([]any{first}, n), second)
}

// waiters are commands that wait, each with a service on which that takes a
// minute or more.
func waiters() map[string]map[string][]any {
	const looks = 200
	gone := refusal{api.ClusterNotFound, "gone"}
	running, ended := described(job{Id: "7", State: "RUNNING"}), described(job{Id: "7", State: "COMPLETED"})
	printed := []any{api.GetJobLogResponse{OutputLog: "a"}, api.GetJobLogResponse{}}
	one := nodes("manager running", "login0 running", "compute000 running")
	drained := nodes("manager running", "login0 running", "compute000 running")
	drained.Nodes.NodeInfo[2].StateInSched = "drain"
	added := api.AddNodesResponse{}
	added.InstanceIds.InstanceId = []string{"i-3"}
	return map[string]map[string][]any{
		"job follow ehpc-hz-1 7": {"DescribeJob": during(looks, running, ended)},
		"job submit ehpc-hz-1 --as lovelace -f -- true": {"SubmitJob": {api.SubmitJobResponse{JobId: "7"}},
			"DescribeJob": during(looks, running, ended)},
		"job log ehpc-hz-1 7 -f": {"GetJobLog": printed,
			"DescribeJob": during(looks, described(job{Id: "7", State: "RUNNING"}), described(job{Id: "7", State: "COMPLETED"}))},
		"cluster logs ehpc-hz-1 -f": {"ListClusterLogs": during(looks, logs("one"), gone)},
		"cluster create lab --wait": {"ListClusters": {clusters()}, "CreateCluster": {api.CreateClusterResponse{ClusterId: "ehpc-hz-1"}},
			"DescribeCluster": during(looks, cluster("init", ""), cluster("running", "")), "ListNodes": {one}},
		"cluster delete ehpc-hz-1 --yes --wait": {"DeleteCluster": {api.DeleteClusterResponse{}}, "ListNodes": {one},
			"DescribeCluster": during(looks, cluster("releasing", ""), gone)},
		"node add ehpc-hz-1 --wait": {"AddNodes": {added}, "ListNodes": during(looks, nodes("m running", "l running", "c init"), one)},
		"node delete ehpc-hz-1 i-3 --wait": {"DeleteNodes": {api.DeleteNodesResponse{}},
			"ListNodes": during(looks, one, nodes("manager running"))},
		"node resume ehpc-hz-1 i-3 --wait": {"ResumeNodes": {api.ResumeNodesResponse{}}, "ListNodes": during(looks, drained, one)},
		"exec ehpc-hz-1 -- sleep 60": {"ListNodes": {one}, "InvokeShellCommand": {api.InvokeShellCommandResponse{CommandId: "c-1"}},
			"ListInvocationResults": during(looks, results(result{InstanceId: "i-1", InvokeRecordStatus: "Running"}),
				results(result{InstanceId: "i-1", InvokeRecordStatus: "Finished"}))},
	}
}

const (
	isAway = "ehpc: the service at http://127.0.0.1:8412 does not answer; trying again\n"
	isBack = "ehpc: the service answers again, after "
)

func TestEveryWaitSurvivesARestartOfTheService(t *testing.T) {
	t.Parallel()
	for line, answers := range waiters() {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &flaky{service: &service{t: t, answers: answers}, begun: time.Now(), from: 5 * time.Second, to: 65 * time.Second, fails: slices.Clone(aRestart)}
				got := f.run(t.Context(), strings.Fields(line)...)
				got.want(t, exitDone, "", isBack)
				if strings.Count(got.err, isAway) != 1 || strings.Count(got.err, isBack) != 1 {
					t.Errorf("said %s", got.err)
				}
				if took := time.Since(f.begun); took < 65*time.Second {
					t.Errorf("it was over after %s", took)
				}
			})
		})
	}
}

func TestEveryCommandThatWaitsIsHeldToARestart(t *testing.T) {
	t.Parallel()
	held := waiters()
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		flags := cmd.Flags()
		if flags.Lookup("wait") == nil && flags.Lookup("follow") == nil && cmd.Annotations[alwaysWaits] == "" {
			return
		}
		path := strings.TrimPrefix(cmd.CommandPath(), "ehpc ")
		for line := range held {
			if strings.HasPrefix(line, path+" ") {
				return
			}
		}
		t.Errorf("%s waits, and nothing shows that it survives a restart", path)
	}
	walk(newRoot(&cli{}))
}
