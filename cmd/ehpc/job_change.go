package main

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// newJobChangeCommand makes the command of an action that is done to jobs, all
// or none of those that are named.
func (c *cli) newJobChangeCommand(verb, action, short, done string) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " CLUSTER JOB...",
		Short: short,
		Args:  argsFrom("JOB", "CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			cluster, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			ids := args[1:]
			answer, err := call[struct{ RequestId string }](ctx, r, verb+" job "+strings.Join(ids, ", "), action,
				url.Values{"ClusterId": {cluster}, "Jobs": {jobsNamed(ids)}})
			if err != nil {
				return err
			}
			return r.done(answer, strings.Join(ids, "\n"), "job %s %s", strings.Join(ids, ", "), done)
		}),
	}
}

func jobsNamed(ids []string) string {
	type entry struct{ Id string }
	entries := make([]entry, len(ids))
	for i, id := range ids {
		entries[i].Id = id
	}
	text, err := json.Marshal(entries)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(text)
}
