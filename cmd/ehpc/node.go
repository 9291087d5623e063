package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ehpc/api"
)

func (c *cli) newNodeCommand() *cobra.Command {
	cmd := c.addFlags(&cobra.Command{Use: "node", Short: "Look at a cluster's nodes, add, delete, resume and take back compute nodes", Args: noArgs, RunE: showHelp})
	cmd.AddCommand(c.newNodeListCommand(), c.newNodeAddCommand(), c.newNodeDeleteCommand(), c.newNodeReclaimCommand(), c.newNodeResumeCommand())
	return cmd
}

func (c *cli) newNodeListCommand() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "list CLUSTER",
		Short: "List a cluster's nodes",
		Args:  argsNamed("CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			type node = api.ListNodesNodeInfo
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			all, err := r.listNodes(ctx, id, role)
			if err != nil {
				return err
			}
			slices.SortStableFunc(all, func(a, b node) int { return rank(a) - rank(b) })
			return list(r.screen, all,
				column[node]{"ID", func(n node) string { return n.Id }},
				column[node]{"HOSTNAME", func(n node) string { return n.HostName }},
				column[node]{"ROLES", func(n node) string { return strings.Join(n.Roles.Role, ",") }},
				column[node]{"STATUS", func(n node) string { return n.Status }},
				column[node]{"SCHEDULER", func(n node) string { return n.StateInSched }},
				column[node]{"TYPE", func(n node) string { return n.InstanceType }},
				column[node]{"CORES", func(n node) string { return resource(n, func(t api.ListNodesTotalResources) int { return t.Cpu }) }},
				column[node]{"MEMORY", func(n node) string { return resource(n, func(t api.ListNodesTotalResources) int { return t.Memory }) }},
				column[node]{"ADDRESS", func(n node) string { return n.IpAddress }},
				column[node]{"REASON", func(n node) string { return n.LockReason }})
		}),
	}
	cmd.Flags().StringVar(&role, "role", "", "only these: Manager, Login or Compute")
	return cmd
}

func resource(n api.ListNodesNodeInfo, of func(api.ListNodesTotalResources) int) string {
	if n.TotalResources == nil {
		return ""
	}
	return strconv.Itoa(of(*n.TotalResources))
}

func (r *remote) listNodes(ctx context.Context, cluster, role string) ([]api.ListNodesNodeInfo, error) {
	return pages(ctx, r, "list the nodes of cluster "+cluster, "ListNodes", values("ClusterId", cluster, "Role", role),
		func(a *api.ListNodesResponse) []api.ListNodesNodeInfo { return a.Nodes.NodeInfo })
}

func (c *cli) newNodeAddCommand() *cobra.Command {
	var count int
	var instanceType, queue, limit string
	var spot bool
	var wait waiting
	cmd := &cobra.Command{
		Use:   "add CLUSTER",
		Short: "Add compute nodes",
		Args:  argsNamed("CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			answer, err := call[api.AddNodesResponse](ctx, r, "add nodes to cluster "+args[0], "AddNodes",
				values("ClusterId", id, "Count", strconv.Itoa(count), "InstanceType", instanceType, "JobQueue", queue,
					"ComputeSpotStrategy", spotStrategy(spot, limit), "ComputeSpotPriceLimit", limit))
			if err != nil {
				return err
			}
			added := answer.InstanceIds.InstanceId
			if wait.wait {
				if err := r.awaitNodes(ctx, wait, args[0], id, added); err != nil {
					return err
				}
			}
			return r.done(answer, strings.Join(added, "\n"), "added to cluster %s: %s", args[0], strings.Join(added, " "))
		}),
	}
	cmd.Flags().IntVarP(&count, "count", "n", 1, "how many")
	cmd.Flags().StringVar(&instanceType, "type", "", "instance type, as ecs.n1.small (default: as the others)")
	cmd.Flags().StringVar(&queue, "queue", "", "queue they serve")
	cmd.Flags().BoolVar(&spot, "spot", false, "preemptible: at the spot price, and may be taken back")
	cmd.Flags().StringVar(&limit, "price-limit", "", "preemptible, up to this spot price per hour")
	wait.addFlags(cmd.Flags(), "until they take jobs")
	return cmd
}

// spotStrategy is the API's word for how nodes are preemptible; "" if they are not.
func spotStrategy(spot bool, limit string) string {
	switch {
	case limit != "":
		return "SpotWithPriceLimit"
	case spot:
		return "SpotAsPriceGo"
	}
	return ""
}

// awaitNodes waits until nodes are in service.
func (r *remote) awaitNodes(ctx context.Context, wait waiting, name, cluster string, ids []string) error {
	doing := "wait for the new nodes of cluster " + name
	return r.watch(ctx, wait.timeout, doing, func(ctx context.Context, show *progress) (bool, error) {
		some, err := r.nodesAmong(ctx, cluster, ids)
		if err != nil {
			return false, err
		}
		show.state(summary(some))
		running := 0
		for _, n := range some {
			switch n.Status {
			case "running":
				running++
			case "exception":
				return false, &failure{doing, fmt.Errorf("%s is in trouble; see: ehpc cluster logs %s", n.HostName, name)}
			}
		}
		return running == len(ids), nil
	})
}

func (r *remote) nodesAmong(ctx context.Context, cluster string, ids []string) ([]api.ListNodesNodeInfo, error) {
	all, err := r.listNodes(ctx, cluster, "")
	return slices.DeleteFunc(all, func(n api.ListNodesNodeInfo) bool { return !slices.Contains(ids, n.Id) }), err
}

func (c *cli) newNodeDeleteCommand() *cobra.Command {
	var wait waiting
	var limit time.Duration
	var force bool
	cmd := &cobra.Command{
		Use:   "delete CLUSTER NODE...",
		Short: "Drain and delete compute nodes, by hostname or id",
		Long: `Drain and delete compute nodes, by hostname or id.

They take no more jobs, and go once those that run there have ended: without a
limit, however long that takes. With --drain-timeout they wait for it, then go
with their jobs; with --force they go at once. Jobs that may run again are
requeued then, the others fail. Both hold also for nodes that are being deleted
already.`,
		Example: "  ehpc node delete lab compute001 --wait\n  ehpc node delete lab compute001 compute002 --drain-timeout 1h",
		Args:    argsFrom("NODE", "CLUSTER"),
		RunE: c.withNodes(func(ctx context.Context, r *remote, some *someNodes) error {
			going := "being drained and deleted"
			switch {
			case force && limit != 0:
				return fmt.Errorf("cannot delete %s: --force does not wait, so --drain-timeout has no meaning beside it", some.named())
			case limit < 0 || limit%time.Second != 0:
				return fmt.Errorf("--drain-timeout %s: give whole seconds", limit)
			case force:
				some.in.Set("Force", "true")
				going = "being deleted"
			case limit > 0:
				some.in.Set("DrainTimeout", strconv.Itoa(int(limit/time.Second)))
				going = fmt.Sprintf("being drained for %s at most and deleted", limit)
			}
			answer, err := call[api.DeleteNodesResponse](ctx, r, "delete "+some.named(), "DeleteNodes", some.in)
			if err != nil {
				return err
			}
			names := some.names
			if answer.Message != "" {
				names += "; " + answer.Message
			}
			if wait.wait {
				if err := r.awaitNoNodes(ctx, wait, some.cluster, some.clusterID, some.ids); err != nil {
					return err
				}
				return r.done(answer, strings.Join(some.ids, "\n"), "deleted from cluster %s: %s", some.cluster, names)
			}
			return r.done(answer, strings.Join(some.ids, "\n"), "%s from cluster %s: %s", going, some.cluster, names)
		}),
	}
	cmd.Flags().DurationVar(&limit, "drain-timeout", 0, "how long they wait for their jobs at most (default: without end)")
	cmd.Flags().BoolVar(&force, "force", false, "do not wait for their jobs")
	wait.addFlags(cmd.Flags(), "until they are gone")
	return cmd
}

func (r *remote) awaitNoNodes(ctx context.Context, wait waiting, name, cluster string, ids []string) error {
	return r.watch(ctx, wait.timeout, "wait for nodes of cluster "+name+" to go", func(ctx context.Context, show *progress) (bool, error) {
		some, err := r.nodesAmong(ctx, cluster, ids)
		if err != nil || len(some) == 0 {
			return err == nil, err
		}
		show.state(summary(some))
		return false, nil
	})
}
