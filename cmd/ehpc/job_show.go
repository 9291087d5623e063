package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ehpc/api"
	"ehpc/internal/hpc"
)

// jobInFull is a job as DescribeJob tells it.
type jobInFull struct {
	job
	Queue       string
	CommandLine string
	Reason      string `json:",omitempty"` // the scheduler's words for why it waits
	EndTime     string
	ExitCode    int
	Restarts    int
	Used        any `json:",omitempty"`
}

func (c *cli) newJobShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show CLUSTER JOB",
		Short: "Show a job",
		Args:  argsNamed("CLUSTER", "JOB"),
		RunE: c.withJob(func(ctx context.Context, r *remote, cluster, id string) error {
			j, err := r.describeJob(ctx, cluster, id)
			if err != nil {
				return err
			}
			switch r.format {
			case formatJSON:
				return r.json(j)
			case formatID:
				return r.done(j, j.Id, "")
			}
			return r.fields("id", j.Id, "name", j.Name, "owner", j.Owner, "queue", j.Queue, "state", j.State, "reason", j.Comment,
				"command", j.CommandLine, "nodes", jobResource(j.job, func(r api.ListJobsResources) int { return r.Nodes }),
				"cores", jobResource(j.job, func(r api.ListJobsResources) int { return r.Cores }), "on", nodeNames(j.job), "priority", j.Priority,
				"submitted", whenExactly(j.SubmitTime), "started", whenExactly(j.StartTime), "ended", whenExactly(j.EndTime), "elapsed", j.elapsed(time.Now()),
				"exit code", j.exitCode(), "restarts", number(j.Restarts), "last change", whenExactly(j.LastModifyTime),
				"array", j.ArrayRequest, "output", j.Stdout, "errors", j.Stderr)
		}),
	}
}

// exitCode is "" while the job has none.
func (j jobInFull) exitCode() string {
	if !hpc.JobState(j.State).Ended() {
		return ""
	}
	return strconv.Itoa(j.ExitCode)
}

// elapsed is how long the job has run, "" before its start.
func (j jobInFull) elapsed(now time.Time) string {
	started, ok := apiTime(j.StartTime)
	if !ok {
		return ""
	}
	until, ok := apiTime(j.EndTime)
	if !ok {
		until = now
	}
	return max(0, until.Sub(started)).Truncate(time.Second).String()
}
