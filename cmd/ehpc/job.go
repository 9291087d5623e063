package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ehpc/api"
	"ehpc/internal/hpc"
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
				column[job]{"STARTED", func(j job) string { return when(j.StartTime) }})
		}),
	}
	cmd.Flags().StringVar(&state, "state", "all", "only these: finished, notfinish or all")
	cmd.Flags().StringVar(&owner, "owner", "", "only this account's")
	return cmd
}

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

// job finds one job.
func (r *remote) job(ctx context.Context, cluster, id string) (job, error) {
	all, err := r.listJobs(ctx, cluster, "all", "")
	if err != nil {
		return job{}, err
	}
	if i := slices.IndexFunc(all, func(j job) bool { return j.Id == id }); i >= 0 {
		return all[i], nil
	}
	return job{}, &failure{"find job " + id, absent(fmt.Sprintf("cluster %s has none of that id; see: ehpc job list %s", cluster, cluster))}
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

func (c *cli) newJobShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show CLUSTER JOB",
		Short: "Show a job",
		Args:  argsNamed("CLUSTER", "JOB"),
		RunE: c.withJob(func(ctx context.Context, r *remote, cluster, id string) error {
			j, err := r.job(ctx, cluster, id)
			if err != nil {
				return err
			}
			if r.format == formatJSON {
				return r.json(j)
			}
			return r.fields("id", j.Id, "name", j.Name, "owner", j.Owner, "state", j.State, "comment", j.Comment,
				"nodes", nodeNames(j), "submitted", when(j.SubmitTime), "started", when(j.StartTime),
				"last change", when(j.LastModifyTime), "array", j.ArrayRequest, "output", j.Stdout, "errors", j.Stderr)
		}),
	}
}

// followLimit is how long a job is followed unless something else is said.
const followLimit = 24 * time.Hour

func (c *cli) newJobFollowCommand() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:         "follow CLUSTER JOB",
		Short:       "Wait for a job's end and show how it goes; the exit status is 4 unless it completed",
		Annotations: map[string]string{alwaysWaits: "for the job"},
		Args:        argsNamed("CLUSTER", "JOB"),
		RunE: c.withJob(func(ctx context.Context, r *remote, cluster, id string) error {
			return r.follow(ctx, timeout, cluster, id)
		}),
	}
	cmd.Flags().DurationVar(&timeout, "timeout", followLimit, "wait no longer than this")
	return cmd
}

// follow waits until a job has ended; it is an error if it did not complete.
func (r *remote) follow(ctx context.Context, limit time.Duration, cluster, id string) error {
	var ended job
	err := r.watch(ctx, limit, "follow job "+id, func(ctx context.Context, show *progress) (bool, error) {
		j, err := r.job(ctx, cluster, id)
		if err != nil {
			return false, err
		}
		text := j.State
		if names := nodeNames(j); names != "" {
			text += " on " + names
		}
		show.state(fmt.Sprintf("job %s  %s", id, text))
		ended = j
		return hpc.JobState(j.State).Ended(), nil
	})
	if err != nil {
		return err
	}
	if hpc.JobState(ended.State) != hpc.JobCompleted {
		return &failure{"complete job " + id, &jobFailed{strings.TrimSpace(ended.State + " " + ended.Comment)}}
	}
	return r.done(ended, id, "job %s completed", id)
}
