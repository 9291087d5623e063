package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ehpc/api"
)

func (c *cli) newNodeResumeCommand() *cobra.Command {
	var wait waiting
	cmd := &cobra.Command{
		Use:   "resume CLUSTER NODE...",
		Short: "Put compute nodes back into service, by hostname or id",
		Long: `Put compute nodes back into service, whoever took them out of it: the service
since they were sick, or an administrator with the scheduler's own commands.

What is known against them is forgotten; what ails them still is found again.
If their queue has stopped replacing sick nodes, it begins anew. "ehpc node list"
shows why nodes are out of service.`,
		Example: "  ehpc node resume lab compute001 --wait",
		Args:    argsFrom("NODE", "CLUSTER"),
		RunE: c.withNodes(func(ctx context.Context, r *remote, some *someNodes) error {
			answer, err := call[api.ResumeNodesResponse](ctx, r, "resume "+some.named(), "ResumeNodes", some.in)
			if err != nil {
				return err
			}
			if !wait.wait {
				return r.done(answer, strings.Join(some.ids, "\n"), "being resumed in cluster %s: %s", some.cluster, some.names)
			}
			if err := r.awaitResumed(ctx, wait, some.cluster, some.clusterID, some.ids); err != nil {
				return err
			}
			return r.done(answer, strings.Join(some.ids, "\n"), "resumed in cluster %s: %s", some.cluster, some.names)
		}),
	}
	wait.addFlags(cmd.Flags(), "until they take jobs")
	return cmd
}

// awaitResumed waits until the scheduler has nodes in service.
func (r *remote) awaitResumed(ctx context.Context, wait waiting, name, cluster string, ids []string) error {
	return r.watch(ctx, wait.timeout, "wait for nodes of cluster "+name+" to take jobs", func(ctx context.Context, show *progress) (bool, error) {
		some, err := r.nodesAmong(ctx, cluster, ids)
		if err != nil {
			return false, err
		}
		show.state(summary(some))
		return !slices.ContainsFunc(some, func(n api.ListNodesNodeInfo) bool {
			return strings.Contains(n.StateInSched, "drain") || strings.Contains(n.StateInSched, "down")
		}), nil
	})
}
