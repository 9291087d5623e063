package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ehpc/api"
)

type queue = api.ListQueuesQueueInfo

func (c *cli) newQueueCommand() *cobra.Command {
	cmd := c.addFlags(&cobra.Command{Use: "queue", Short: "Look at a cluster's queues, add and delete them, move nodes", Args: noArgs, RunE: showHelp})
	cmd.AddCommand(c.newQueueListCommand(),
		c.newQueueChangeCommand("add", "AddQueue", "Add a queue, without nodes", "added to"),
		c.newQueueChangeCommand("delete", "DeleteQueue", "Delete a queue that has neither nodes nor jobs", "deleted from"),
		c.newQueueSetCommand())
	return cmd
}

func (c *cli) newQueueListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list CLUSTER",
		Short: "List a cluster's queues and their nodes",
		Args:  argsNamed("CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			answer, err := call[api.ListQueuesResponse](ctx, r, "list the queues of cluster "+args[0], "ListQueues", values("ClusterId", id))
			if err != nil {
				return err
			}
			hosts := map[string][]string{}
			for _, q := range answer.Queues.QueueInfo {
				if hosts[q.QueueName], err = r.queueHosts(ctx, id, q.QueueName); err != nil {
					return err
				}
			}
			return list(r.screen, answer.Queues.QueueInfo,
				column[queue]{"NAME", func(q queue) string { return q.QueueName }},
				column[queue]{"NODES", func(q queue) string { return fmt.Sprint(len(hosts[q.QueueName])) }},
				column[queue]{"TYPES", func(q queue) string { return strings.Join(q.ComputeInstanceType.InstanceType, ",") }},
				column[queue]{"HOSTS", func(q queue) string { return strings.Join(hosts[q.QueueName], ",") }})
		}),
	}
}

// queueHosts are the hostnames of a queue's nodes, sorted.
func (r *remote) queueHosts(ctx context.Context, cluster, name string) ([]string, error) {
	nodes, err := pages(ctx, r, "list the nodes of queue "+name, "ListNodesByQueue", values("ClusterId", cluster, "QueueName", name),
		func(a *api.ListNodesByQueueResponse) []api.ListNodesByQueueNodeInfo { return a.Nodes.NodeInfo })
	if err != nil {
		return nil, err
	}
	hosts := make([]string, len(nodes))
	for i, n := range nodes {
		hosts[i] = n.HostName
	}
	slices.Sort(hosts)
	return hosts, nil
}

func (c *cli) newQueueChangeCommand(verb, action, short, done string) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " CLUSTER QUEUE",
		Short: short,
		Args:  argsNamed("CLUSTER", "QUEUE"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			answer, err := call[struct{ RequestId string }](ctx, r, verb+" queue "+args[1], action, values("ClusterId", id, "QueueName", args[1]))
			if err != nil {
				return err
			}
			return r.done(answer, args[1], "queue %s %s cluster %s", args[1], done, args[0])
		}),
	}
}

func (c *cli) newQueueSetCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "set CLUSTER QUEUE NODE...",
		Short:   "Move compute nodes to a queue; the jobs that run on them go on",
		Example: "  ehpc queue set lab night compute001 compute002",
		Args:    argsFrom("NODE", "CLUSTER", "QUEUE"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			hosts := args[2:]
			in := values("ClusterId", id, "QueueName", args[1])
			for i, host := range hosts {
				in.Set(fmt.Sprintf("Node.%d.Name", i+1), host)
			}
			answer, err := call[api.SetQueueResponse](ctx, r, "move "+strings.Join(hosts, ", ")+" to queue "+args[1], "SetQueue", in)
			if err != nil {
				return err
			}
			return r.done(answer, strings.Join(hosts, "\n"), "moved to queue %s of cluster %s: %s", args[1], args[0], strings.Join(hosts, " "))
		}),
	}
}
