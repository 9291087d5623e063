package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ehpc/api"
)

func TestExitStatuses(t *testing.T) {
	t.Parallel()
	const long = 24 * time.Hour
	asking := withAnswer(503, `{"Code":"ServiceUnavailable","Message":"not yet; try again"}`)
	refused := withError(syscall.ECONNREFUSED)
	for name, c := range map[string]struct {
		line      string
		answers   map[string][]any
		from, to  time.Duration // the service is away
		fails     failing
		lost      bool
		interrupt time.Duration
		status    int
		took      time.Duration // up to
		err       string
	}{
		"a command that is done":       {line: "cluster list", answers: map[string][]any{"ListClusters": {clusters("lab")}}, status: exitDone},
		"a command line that is wrong": {line: "cluster lst", status: exitUsage, err: "did you mean list?"},
		"what the service refuses": {line: "cluster show ehpc-hz-9", status: exitRefused, err: "gone",
			answers: map[string][]any{"DescribeCluster": {refusal{api.ClusterNotFound, "gone"}}}},
		"a name that is not there": {line: "cluster show nope", status: exitRefused, err: "there is none of that name",
			answers: map[string][]any{"ListClusters": {clusters()}}},
		"a service that fails": {line: "cluster list", status: exitFailed, took: 2 * time.Second, err: "oops",
			answers: map[string][]any{"ListClusters": {refusal{api.InternalError, "oops"}}}},
		"a cluster that comes to nothing": {line: "cluster create lab --wait", status: exitFailed, err: "no capacity",
			answers: map[string][]any{"ListClusters": {clusters()}, "CreateCluster": {api.CreateClusterResponse{ClusterId: "ehpc-hz-1"}},
				"DescribeCluster": {cluster("exception", "no capacity")}, "ListNodes": {nodes("manager exception")}}},
		"a job that fails": {line: "job follow ehpc-hz-1 7", status: exitJob, err: "it ended FAILED",
			answers: map[string][]any{"DescribeJob": {described(job{Id: "7", State: "FAILED"})}}},
		"a wait that is too long": {line: "job follow ehpc-hz-1 7 --timeout 1m", status: exitTimeout, took: time.Minute, err: "not over within 1m0s\n",
			answers: map[string][]any{"DescribeJob": {described(job{Id: "7", State: "RUNNING"})}}},
		"a wait for a service that stays away": {line: "job follow ehpc-hz-1 7 --timeout 1m", from: 5 * time.Second, to: long, fails: refused,
			status: exitTimeout, took: time.Minute, err: "not over within 1m0s, and the service does not answer\n",
			answers: map[string][]any{"DescribeJob": {described(job{Id: "7", State: "RUNNING"})}}},
		"an endpoint that nobody serves": {line: "cluster list", to: long, fails: refused, status: exitUnreachable, took: 2 * time.Second,
			err: "cannot list the clusters: the service at http://127.0.0.1:8412 does not answer"},
		"an endpoint that nobody serves, for a command that waits": {line: "job follow ehpc-hz-1 7", to: long, fails: refused,
			status: exitUnreachable, took: 2 * time.Second, err: "nothing listens there"},
		"a service that asks to try again, for a while": {line: "cluster list", to: 20 * time.Second, fails: asking, took: 22 * time.Second,
			answers: map[string][]any{"ListClusters": {clusters("lab")}}, err: "the service cannot do it now (ServiceUnavailable); trying again\n"},
		"a service that asks to try again, for too long": {line: "cluster list", to: long, fails: asking, status: exitUnreachable,
			took: 31 * time.Second, err: "not yet; try again"},
		"a service that asks to try again, for longer than is wanted": {line: "cluster list --retry-for 2s", to: long, fails: asking,
			status: exitUnreachable, took: 3 * time.Second},
		"a request whose answers are lost": {line: "job submit ehpc-hz-1 --as lovelace -- true", to: 20 * time.Second, fails: refused, lost: true,
			took: 22 * time.Second, answers: map[string][]any{"SubmitJob": {api.SubmitJobResponse{JobId: "7"}}}, err: isAway},
		"a wait that is interrupted": {line: "job follow ehpc-hz-1 7", interrupt: 5 * time.Second, took: 5 * time.Second, status: exitInterrupted,
			err: "ehpc: interrupted: cannot follow job 7\n  what was asked for goes on", answers: map[string][]any{"DescribeJob": {described(job{Id: "7", State: "RUNNING"})}}},
		"a wait that is interrupted while the service is away": {line: "job log ehpc-hz-1 7 -f", from: time.Second, to: long, fails: refused,
			interrupt: 5 * time.Second, took: 5 * time.Second, status: exitInterrupted, err: "interrupted",
			answers: map[string][]any{"DescribeJob": {described(job{Id: "7", State: "RUNNING"})}, "GetJobLog": {api.GetJobLogResponse{}}}},
		"the status of a command that was run": {line: "exec ehpc-hz-1 -- x", status: 42, answers: map[string][]any{
			"ListNodes": {nodes("manager running")}, "InvokeShellCommand": {api.InvokeShellCommandResponse{CommandId: "c-1"}},
			"ListInvocationResults": {results(result{InstanceId: "i-1", InvokeRecordStatus: "Finished", ExitCode: 42})}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &flaky{service: &service{t: t, answers: c.answers}, begun: time.Now(), from: c.from, to: c.to, fails: []failing{c.fails}, lost: c.lost}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.interrupt > 0 {
					time.AfterFunc(c.interrupt, cancel)
				}
				f.run(ctx, strings.Fields(c.line)...).want(t, c.status, "", c.err)
				if took := time.Since(f.begun); took > c.took {
					t.Errorf("it took %s", took)
				}
				tokens := map[string]bool{}
				for _, form := range f.asked {
					if form.Get("Action") == "SubmitJob" {
						tokens[form.Get("ClientToken")] = true
					}
				}
				if len(tokens) > 1 || c.lost && (len(tokens) == 0 || len(f.asked) < 3) {
					t.Errorf("%d requests, with the tokens %v", len(f.asked), tokens)
				}
			})
		})
	}
}

func TestEveryExitStatusIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/how-to/command-line.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for _, status := range []int{exitDone, exitFailed, exitUsage, exitRefused, exitJob, exitTimeout, exitUnreachable, exitInterrupted} {
		if row := fmt.Sprintf("| %d | ", status); !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, row) }) {
			t.Errorf("no line of the table begins with %q", row)
		}
	}
}
