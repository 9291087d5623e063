package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ehpc/client"
	"ehpc/internal/hpc"
)

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
	c.addRaw(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", followLimit, "wait no longer than this")
	return cmd
}

// follow waits until a job has ended, and shows for people what it prints and, on
// standard error, how it goes; it is an error if it did not complete.
func (r *remote) follow(ctx context.Context, limit time.Duration, cluster, id string) error {
	var j jobInFull
	output := &jobOutput{cluster: cluster, id: id, to: r.others()}
	err := r.watch(ctx, limit, "follow job "+id, func(ctx context.Context, show *progress) (bool, error) {
		over := hpc.JobState(j.State).Ended()
		if !over {
			var err error
			if j, err = r.describeJob(ctx, cluster, id); err != nil {
				return false, err
			}
			show.state(fmt.Sprintf("job %s  %s", id, j.how()))
		}
		single := j.ArrayRequest == "" || strings.Contains(id, "_") // an array's tasks have files of their own
		if r.format != formatTable || !single || j.StartTime == "" {
			return hpc.JobState(j.State).Ended(), nil
		}
		return over, output.more(ctx, r, show) // what it printed last may come after its end was seen
	})
	if err != nil {
		return err
	}
	if output.trouble != nil {
		r.say(fmt.Sprintf("cannot show what job %s printed: %s", id, output.trouble.Message))
	}
	if hpc.JobState(j.State) != hpc.JobCompleted {
		return &failure{"complete job " + id, &jobFailed{strings.TrimSpace(j.State + " " + j.Comment)}}
	}
	return r.aside(j, id, "job %s completed", id)
}

// how is the job's state, and where it runs or why it does not.
func (j jobInFull) how() string {
	if names := nodeNames(j.job); names != "" {
		return j.State + " on " + names
	}
	if j.Comment != "" && !hpc.JobState(j.State).Ended() {
		return j.State + ": " + j.Comment
	}
	return j.State
}

// aside is done for what is told beside a job's output: for people it goes to
// standard error.
func (r *remote) aside(answer any, id, sentence string, args ...any) error {
	if r.format != formatTable {
		return r.done(answer, id, sentence, args...)
	}
	_, err := fmt.Fprintln(r.err, shownLines(fmt.Sprintf(sentence, args...)))
	return err
}

// jobOutput is what a job has printed, as far as it was shown.
type jobOutput struct {
	cluster, id string
	to          io.Writer
	offset      int
	trouble     *client.Error // of the last try to read it
}

// more shows what has come since. What the service refuses does not end the
// following: it may be able to read it later.
func (o *jobOutput) more(ctx context.Context, r *remote, show *progress) error {
	var err error
	o.offset, err = r.copyLog(ctx, besideProgress{o.to, show}, o.cluster, o.id, jobLog{}, o.offset)
	o.trouble = nil
	if errors.As(err, &o.trouble) {
		return nil
	}
	return err
}

// besideProgress writes where progress is shown, too.
type besideProgress struct {
	io.Writer
	show *progress
}

func (w besideProgress) Write(p []byte) (int, error) {
	w.show.makeRoom()
	return w.Writer.Write(p)
}
