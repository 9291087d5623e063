package main

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ehpc/api"
)

type job = api.ListJobsJobInfo

func (c *cli) newJobCommand() *cobra.Command {
	cmd := c.addFlags(&cobra.Command{Use: "job", Short: "Submit jobs and follow them", Args: noArgs, RunE: showHelp})
	cmd.AddCommand(c.newJobSubmitCommand(), c.newJobListCommand(), c.newJobShowCommand(),
		c.newJobFollowCommand(), c.newJobLogCommand(),
		c.newJobChangeCommand("stop", "StopJobs", "Stop jobs", "stopped"),
		c.newJobChangeCommand("rerun", "RerunJobs", "Run jobs again, under the ids that they have", "is run again"),
		c.newJobChangeCommand("delete", "DeleteJobs", "Delete jobs from the lists; those that run are stopped", "deleted"))
	return cmd
}

func (c *cli) newJobListCommand() *cobra.Command {
	var state, owner string
	cmd := &cobra.Command{
		Use:   "list CLUSTER",
		Short: "List a cluster's jobs",
		Args:  argsNamed("CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			all, err := r.listJobs(ctx, id, state, owner)
			if err != nil {
				return err
			}
			return list(r.screen, all,
				column[job]{"ID", func(j job) string { return j.Id }},
				column[job]{"NAME", func(j job) string { return j.Name }},
				column[job]{"OWNER", func(j job) string { return j.Owner }},
				column[job]{"STATE", func(j job) string { return j.State }},
				column[job]{"NODES", func(j job) string { return jobResource(j, func(r api.ListJobsResources) int { return r.Nodes }) }},
				column[job]{"CORES", func(j job) string { return jobResource(j, func(r api.ListJobsResources) int { return r.Cores }) }},
				column[job]{"ON", func(j job) string { return nodeNames(j) }},
				column[job]{"SUBMITTED", func(j job) string { return when(j.SubmitTime) }},
				column[job]{"STARTED", func(j job) string { return when(j.StartTime) }},
				column[job]{"REASON", func(j job) string { return cut(j.Comment, reasonWidth) }})
		}),
	}
	cmd.Flags().StringVar(&state, "state", "all", "only these: finished, notfinish or all")
	cmd.Flags().StringVar(&owner, "owner", "", "only this account's")
	return cmd
}

// reasonWidth is how much of why a job waits, or how it ended, a list shows; the
// rest is in job show.
const reasonWidth = 72

func jobResource(j job, of func(api.ListJobsResources) int) string {
	if j.Resources == nil {
		return ""
	}
	return strconv.Itoa(of(*j.Resources))
}

// nodeNames are the nodes a job has, for people; the API has a JSON list in a string.
func nodeNames(j job) string {
	var names []string
	if json.Unmarshal([]byte(j.NodeList), &names) != nil {
		return j.NodeList
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

func (r *remote) listJobs(ctx context.Context, cluster, state, owner string) ([]job, error) {
	return pages(ctx, r, "list the jobs of cluster "+cluster, "ListJobs", values("ClusterId", cluster, "State", state, "Owner", owner),
		func(a *api.ListJobsResponse) []job { return a.Jobs.JobInfo })
}

// withJob makes a command's function out of one that is about a job.
func (c *cli) withJob(run func(ctx context.Context, r *remote, cluster string, id string) error) func(*cobra.Command, []string) error {
	return c.with(func(ctx context.Context, r *remote, args []string) error {
		cluster, err := r.cluster(ctx, args[0])
		if err != nil {
			return err
		}
		return run(ctx, r, cluster, args[1])
	})
}
