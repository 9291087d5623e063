package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ehpc/api"
	"ehpc/internal/hpc"
)

// jobLog is what job log reads.
type jobLog struct {
	stderr, follow bool
	lines          int
}

func (c *cli) newJobLogCommand() *cobra.Command {
	var o jobLog
	cmd := &cobra.Command{
		Use:     "log CLUSTER JOB",
		Aliases: []string{"output"},
		Short:   "Print what a job has printed so far; of an array a task, as 7_3",
		Example: "  ehpc job log lab 7 -f\n  ehpc job log lab 7_3 -n 20",
		Args:    argsNamed("CLUSTER", "JOB"),
	}
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if o.lines < 0 || o.follow && o.lines > 0 {
			return &usageError{cmd.CommandPath(), "--lines is a number of lines, and not for --follow"}
		}
		return nil
	}
	cmd.RunE = c.withJob(func(ctx context.Context, r *remote, cluster, id string) error {
		j, err := r.describeJob(ctx, cluster, id)
		if err != nil {
			return err
		}
		o.stderr = o.stderr && j.Stderr != j.Stdout // else they are in one file
		switch {
		case r.format == formatJSON:
			return r.logJSON(ctx, cluster, id, o)
		case o.follow:
			return r.followLog(ctx, cluster, id, o)
		case o.lines > 0:
			end := tail{most: o.lines}
			if _, err := r.copyLog(ctx, &end, cluster, id, o, 0); err != nil {
				return err
			}
			_, err = r.others().Write(end.text)
			return err
		}
		_, err = r.copyLog(ctx, r.others(), cluster, id, o, 0)
		return err
	})
	c.addRaw(cmd)
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on as it prints more, until it has ended")
	cmd.Flags().IntVarP(&o.lines, "lines", "n", 0, "only so many lines of its end (default: all of it)")
	cmd.Flags().BoolVar(&o.stderr, "stderr", false, "standard error instead, where the job keeps them apart")
	return cmd
}

// describeJob shows one job, or the array of a task.
func (r *remote) describeJob(ctx context.Context, cluster, id string) (jobInFull, error) {
	whole := id
	if at := strings.IndexAny(id, "_["); at > 0 {
		whole = id[:at]
	}
	answer, err := call[api.DescribeJobResponse](ctx, r, "find job "+id, "DescribeJob", values("ClusterId", cluster, "JobId", whole))
	if err != nil {
		return jobInFull{}, err
	}
	var found map[string]jobInFull
	if err := json.Unmarshal([]byte(answer.Message.JobInfo), &found); err != nil {
		return jobInFull{}, &failure{"find job " + id, fmt.Errorf("the answer to DescribeJob is not as documented: %w", err)}
	}
	return found[whole], nil
}

// copyLog copies what there is from offset on, and returns where it ends.
func (r *remote) copyLog(ctx context.Context, to io.Writer, cluster, id string, o jobLog, offset int) (int, error) {
	for {
		answer, err := call[api.GetJobLogResponse](ctx, r, "read the output of job "+id, "GetJobLog",
			values("ClusterId", cluster, "JobId", id, "Offset", strconv.Itoa(offset)))
		if err != nil {
			return offset, err
		}
		text := answer.OutputLog
		if o.stderr {
			text = answer.ErrorLog
		}
		if text == "" {
			return offset, nil
		}
		if _, err := io.WriteString(to, text); err != nil {
			return offset, err
		}
		offset += len(text) // as many as in the file
	}
}

// followLog prints until the job has ended. What it printed last may come after
// its end was seen: it is asked for once more then.
func (r *remote) followLog(ctx context.Context, cluster, id string, o jobLog) error {
	offset, ended := 0, false
	to := r.others()
	return r.poll(ctx, func() (bool, error) {
		over := ended
		if !over {
			j, err := r.describeJob(ctx, cluster, id)
			if err != nil {
				return false, err
			}
			ended = hpc.JobState(j.State).Ended()
		}
		var err error
		offset, err = r.copyLog(ctx, to, cluster, id, o, offset)
		return over, err
	})
}

func (r *remote) logJSON(ctx context.Context, cluster, id string, o jobLog) error {
	answer := api.GetJobLogResponse{JobId: id}
	var text bytes.Buffer
	if _, err := r.copyLog(ctx, &text, cluster, id, o, 0); err != nil {
		return err
	}
	if o.stderr {
		answer.ErrorLog = text.String()
	} else {
		answer.OutputLog = text.String()
	}
	return r.json(answer)
}

// tail keeps the last lines of what is written to it.
type tail struct {
	most int
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	from, lines := len(t.text), 0
	if bytes.HasSuffix(t.text, []byte("\n")) {
		from--
	}
	for lines < t.most && from >= 0 {
		from = bytes.LastIndexByte(t.text[:from], '\n')
		lines++
	}
	t.text = append([]byte(nil), t.text[from+1:]...)
	return len(p), nil
}
