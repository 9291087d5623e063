package rig

import (
	"strings"
	"testing"
	"time"

	"ehpc/api"
)

// Result is what a command came to on one node.
type Result struct {
	Status   string
	ExitCode int
	Output   string
}

// Shell runs a command as root on a node and returns its output without the
// last line's end. It must exit with 0.
func (c *Cluster) Shell(t testing.TB, hostname, command string) string {
	t.Helper()
	r := c.Try(t, hostname, command)
	if r.Status != "Finished" || r.ExitCode != 0 {
		t.Fatalf("on %s, %q was %s with exit status %d:\n%s", hostname, command, r.Status, r.ExitCode, r.Output)
	}
	return strings.TrimSuffix(r.Output, "\n")
}

// Try runs a command as root on a node.
func (c *Cluster) Try(t testing.TB, hostname, command string) Result {
	t.Helper()
	q := &api.InvokeShellCommandRequest{Command: command}
	q.Instance = []api.InvokeShellCommandRequestInstance{{Id: c.Node(t, hostname).Id}}
	return c.Results(t, c.Invoke(t, q))[hostname]
}

// Everywhere runs a command as root on every node.
func (c *Cluster) Everywhere(t testing.TB, command string) map[string]Result {
	t.Helper()
	return c.Results(t, c.Invoke(t, &api.InvokeShellCommandRequest{Command: command}))
}

// Invoke asks for a command to be run and returns its id.
func (c *Cluster) Invoke(t testing.TB, q *api.InvokeShellCommandRequest) string {
	t.Helper()
	q.ClusterId = c.ID
	var a api.InvokeShellCommandResponse
	c.Do(t, q, &a)
	return a.CommandId
}

// Results waits for a command's end and returns its results by hostname.
func (c *Cluster) Results(t testing.TB, command string) map[string]Result {
	t.Helper()
	Until(t, "the command has ended", 5*time.Minute, func() bool {
		var a api.ListInvocationStatusResponse
		c.Do(t, &api.ListInvocationStatusRequest{ClusterId: c.ID, CommandId: command}, &a)
		return a.InvokeStatus != "Running"
	})
	names := map[string]string{}
	for _, n := range c.Nodes(t) {
		names[n.Id] = n.HostName
	}
	var a api.ListInvocationResultsResponse
	c.Do(t, &api.ListInvocationResultsRequest{ClusterId: c.ID, CommandId: command, PageSize: 50}, &a)
	results := map[string]Result{}
	for _, r := range a.InvocationResults.InvocationResult {
		results[names[r.InstanceId]] = Result{Status: r.InvokeRecordStatus, ExitCode: r.ExitCode, Output: r.Message}
	}
	return results
}
