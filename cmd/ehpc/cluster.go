package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ehpc/api"
)

func (c *cli) newClusterCommand() *cobra.Command {
	cmd := c.addFlags(&cobra.Command{Use: "cluster", Short: "Make, look at and delete clusters", Args: noArgs, RunE: showHelp})
	cmd.AddCommand(c.newClusterCreateCommand(), c.newClusterListCommand(), c.newClusterShowCommand(),
		c.newClusterDeleteCommand(), c.newClusterLogsCommand(), c.newClusterScaleCommand())
	return cmd
}

func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

func (c *cli) newClusterListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the clusters",
		Args:  noArgs,
		RunE: c.with(func(ctx context.Context, r *remote, _ []string) error {
			type cluster = api.ListClustersClusterInfoSimple
			all, err := r.listClusters(ctx)
			if err != nil {
				return err
			}
			return list(r.screen, all,
				column[cluster]{"ID", func(c cluster) string { return c.Id }},
				column[cluster]{"NAME", func(c cluster) string { return c.Name }},
				column[cluster]{"STATUS", func(c cluster) string { return c.Status }},
				column[cluster]{"SCHEDULER", func(c cluster) string { return c.SchedulerType }},
				column[cluster]{"COMPUTE", func(c cluster) string { return strconv.Itoa(c.Count) }},
				column[cluster]{"TYPE", func(c cluster) string { return c.InstanceType }},
				column[cluster]{"CREATED", func(c cluster) string { return when(c.CreateTime) }})
		}),
	}
}

func (r *remote) listClusters(ctx context.Context) ([]api.ListClustersClusterInfoSimple, error) {
	return pages(ctx, r, "list the clusters", "ListClusters", url.Values{},
		func(a *api.ListClustersResponse) []api.ListClustersClusterInfoSimple {
			return a.Clusters.ClusterInfoSimple
		})
}

func (c *cli) newClusterShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show CLUSTER",
		Short: "Show a cluster, by name or id",
		Args:  argsNamed("CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			info, err := r.describe(ctx, id)
			if err != nil {
				return err
			}
			switch r.format {
			case formatJSON:
				return r.json(info)
			case formatID:
				return r.done(nil, info.Id, "")
			}
			return r.fields("name", info.Name, "id", info.Id, "status", info.Status, "error", info.ErrorMessage,
				"description", info.Description, "scheduler", strings.TrimSpace(info.SchedulerType+" "+info.SchedulerVersion),
				"os", info.OsTag, "deploy mode", info.DeployMode, "nodes", ecsInfo(info.EcsInfo), "region", info.RegionId,
				"created", whenExactly(info.CreateTime))
		}),
	}
}

func ecsInfo(e *api.DescribeClusterEcsInfo) string {
	if e == nil {
		return ""
	}
	var parts []string
	add := func(count int, kind, instanceType string) {
		parts = append(parts, fmt.Sprintf("%d %s (%s)", count, kind, instanceType))
	}
	if e.Manager != nil {
		add(e.Manager.Count, "manager", e.Manager.InstanceType)
	}
	if e.Login != nil {
		add(e.Login.Count, "login", e.Login.InstanceType)
	}
	if e.Compute != nil {
		add(e.Compute.Count, "compute", e.Compute.InstanceType)
	}
	return strings.Join(parts, ", ")
}

func (r *remote) describe(ctx context.Context, id string) (api.DescribeClusterClusterInfo, error) {
	answer, err := call[api.DescribeClusterResponse](ctx, r, "show cluster "+id, "DescribeCluster", values("ClusterId", id))
	return answer.ClusterInfo, err
}

func (c *cli) newClusterDeleteCommand() *cobra.Command {
	var wait waiting
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete CLUSTER",
		Short: "Delete a cluster with its nodes and all files on it",
		Long: `Delete a cluster with its nodes, its jobs and its volume.

Everything in /home and /opt is destroyed, the files of all accounts with it, and
cannot be brought back: copy what is to be kept first. On a terminal the question
says how much it is; elsewhere --yes is needed.`,
		Args: argsNamed("CLUSTER"),
	}
	cmd.RunE = c.with(func(ctx context.Context, r *remote, args []string) error {
		id, err := r.cluster(ctx, args[0])
		if err != nil {
			return err
		}
		if !yes {
			if err := r.confirmDelete(ctx, cmd, args[0], id); err != nil {
				return err
			}
		}
		answer, err := call[api.DeleteClusterResponse](ctx, r, "delete cluster "+args[0], "DeleteCluster", values("ClusterId", id))
		if err != nil {
			return err
		}
		if !wait.wait {
			return r.done(answer, id, "%s is being deleted", label(args[0], id))
		}
		begun := time.Now()
		if err := r.awaitNoCluster(ctx, wait.timeout, args[0], id); err != nil {
			return err
		}
		return r.done(answer, id, "%s is gone, after %.1f s", label(args[0], id), time.Since(begun).Seconds())
	})
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask; needed where there is no terminal")
	wait.addFlags(cmd.Flags(), "until it is gone")
	return cmd
}

// label is what a cluster is called in a sentence, by its name and its id.
func label(name, id string) string {
	if name == id {
		return "cluster " + id
	}
	return fmt.Sprintf("cluster %s (%s)", name, id)
}

// deleteQuestion says what a deletion destroys. That its size cannot be told is no
// reason not to ask.
func (r *remote) deleteQuestion(ctx context.Context, name, id string) string {
	size := "how much that is cannot be told now"
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if a, err := call[api.DescribeClusterVolumeResponse](ctx, r, "look at the volume of cluster "+name, "DescribeClusterVolume", values("ClusterId", id)); err == nil {
		size = a.Message
	}
	return fmt.Sprintf("This deletes cluster %s with its nodes, its jobs and everything in /home and /opt: %s.\nIt cannot be brought back. Type the cluster's name to go on: ", name, size)
}

// confirmDelete asks on a terminal; elsewhere nobody can answer, and nothing is
// destroyed for a flag that was left out.
func (r *remote) confirmDelete(ctx context.Context, cmd *cobra.Command, name, id string) error {
	if _, ok := terminal(cmd.InOrStdin()); !ok {
		return &failure{"delete cluster " + name, errors.New("it destroys everything in /home and /opt, and there is no terminal to ask on; give --yes")}
	}
	fmt.Fprint(cmd.ErrOrStderr(), r.deleteQuestion(ctx, name, id))
	answer, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if strings.TrimSpace(answer) != name {
		return &failure{"delete cluster " + name, fmt.Errorf("not confirmed")}
	}
	return nil
}
