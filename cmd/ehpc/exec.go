package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ehpc/api"
)

func (c *cli) newExecCommand() *cobra.Command {
	var on []string
	var all bool
	var dir string
	var timeout time.Duration
	cmd := c.addFlags(&cobra.Command{
		Use:   "exec CLUSTER -- COMMAND [ARG...]",
		Short: "Run a shell command as root on nodes",
		Long: `Run a shell command as root on nodes: on the manager, or on those that --node or
--all name. A single COMMAND is a shell line; several words are quoted as they are.
The exit status is the command's; of several nodes', the highest.`,
		Example: `  ehpc exec lab -- sinfo
  ehpc exec lab --all -- 'uptime; df -h /home'
  ehpc exec lab --node compute000 --node compute001 -- systemd-detect-virt`,
		Annotations: map[string]string{alwaysWaits: "for the command"},
		Args:        argsFrom("COMMAND", "CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			nodes, err := r.targets(ctx, id, on, all)
			if err != nil {
				return err
			}
			results, err := r.shell(ctx, id, nodes, shellCommand{shellLine(args[1:]), dir, timeout})
			if err != nil {
				return err
			}
			return r.showResults(nodes, results)
		}),
	})
	c.addRaw(cmd)
	cmd.Flags().StringSliceVar(&on, "node", nil, "hostname or id of a node; may be repeated")
	cmd.Flags().BoolVar(&all, "all", false, "on every node")
	cmd.Flags().StringVar(&dir, "dir", "", "working directory (default /root)")
	cmd.Flags().DurationVar(&timeout, "timeout", time.Hour, "kill the command after this, at least 1m")
	return cmd
}

// node is a node that a command runs on.
type node struct{ id, host string }

// targets are the nodes that the flags name; the manager when they name none.
func (r *remote) targets(ctx context.Context, cluster string, names []string, all bool) ([]node, error) {
	known, err := r.listNodes(ctx, cluster, "")
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(known, func(a, b api.ListNodesNodeInfo) int { return rank(a) - rank(b) })
	var picked []node
	for _, n := range known {
		switch {
		case all, slices.Contains(names, n.HostName), slices.Contains(names, n.Id),
			len(names) == 0 && kind(n) == "manager":
			picked = append(picked, node{n.Id, n.HostName})
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(picked, func(n node) bool { return n.id == name || n.host == name }) {
			return nil, &failure{"find node " + name, noNode(cluster)}
		}
	}
	if len(picked) == 0 {
		return nil, &failure{"run a command on cluster " + cluster, errors.New("it has no such nodes yet")}
	}
	return picked, nil
}

// shellCommand is what to run and how.
type shellCommand struct {
	line    string
	dir     string
	timeout time.Duration
}

type result = api.ListInvocationResultsInvocationResult

// shell runs a command on nodes and waits until it has ended on all of them.
func (r *remote) shell(ctx context.Context, cluster string, nodes []node, command shellCommand) ([]result, error) {
	doing := "run the command on cluster " + cluster
	in := values("ClusterId", cluster, "Command", command.line, "WorkingDir", command.dir,
		"Timeout", strconv.Itoa(int(command.timeout.Seconds())))
	ids := make([]string, len(nodes))
	for i, n := range nodes {
		ids[i] = n.id
	}
	addInstances(in, ids)
	invoked, err := call[api.InvokeShellCommandResponse](ctx, r, doing, "InvokeShellCommand", in)
	if err != nil {
		return nil, err
	}
	var results []result
	err = r.poll(ctx, func() (bool, error) {
		results, err = pages(ctx, r, doing, "ListInvocationResults", values("ClusterId", cluster, "CommandId", invoked.CommandId),
			func(a *api.ListInvocationResultsResponse) []result { return a.InvocationResults.InvocationResult })
		running := slices.ContainsFunc(results, func(r result) bool { return r.InvokeRecordStatus == "Running" })
		return !running && len(results) >= len(nodes), err
	})
	if err != nil && ctx.Err() != nil {
		err = &failure{"wait for command " + invoked.CommandId, err}
	}
	return results, err
}

// showResults prints each node's output; the exit status is the highest of all.
func (r *remote) showResults(nodes []node, results []result) error {
	if r.format == formatJSON {
		if err := r.json(results); err != nil {
			return err
		}
	}
	worst := 0
	for _, n := range nodes {
		i := slices.IndexFunc(results, func(res result) bool { return res.InstanceId == n.id })
		if i < 0 {
			continue
		}
		res := results[i]
		status := res.ExitCode
		if res.InvokeRecordStatus != "Finished" {
			how := "was " + strings.ToLower(res.InvokeRecordStatus)
			if res.InvokeRecordStatus == "Failed" {
				how = "could not be carried out"
			}
			fmt.Fprintf(r.err, "ehpc: on %s the command %s\n", n.host, how)
			status = max(status, 1)
		}
		worst = max(worst, status)
		if r.format != formatJSON {
			r.output(n, res.Message, len(nodes) > 1)
		}
	}
	if worst != 0 {
		return exitStatus(min(worst, 255))
	}
	return nil
}

// output prints what a command printed on a node, under its name where there are several.
func (r *remote) output(n node, text string, named bool) {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	to := r.others()
	if !named {
		fmt.Fprint(to, text)
		return
	}
	for line := range strings.Lines(text) {
		fmt.Fprintf(to, "%s: %s", n.host, line)
	}
}

// shellLine is one argument as it is, or several quoted and joined.
func shellLine(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = shellQuote(arg)
	}
	return strings.Join(quoted, " ")
}

// shellQuote quotes a word for a POSIX shell, where it needs that.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_-./:=,+@%", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
