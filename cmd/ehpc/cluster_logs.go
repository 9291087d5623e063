package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"ehpc/api"
)

type logLine = api.ListClusterLogsLogInfo

var logColumns = []column[logLine]{
	{"TIME", func(l logLine) string { return when(l.CreateTime) }},
	{"LEVEL", func(l logLine) string { return l.Level }},
	{"OPERATION", func(l logLine) string { return l.Operation }},
	{"MESSAGE", func(l logLine) string { return l.Message }},
}

func (c *cli) newClusterLogsCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs CLUSTER",
		Short: "Show what happened to a cluster, oldest first",
		Long: `Show what happened to a cluster, oldest first. With --follow also what happens from
then on, until Ctrl-C or the cluster's end; as JSON, one line for each entry.`,
		Args: argsNamed("CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			if follow {
				return r.followLogs(ctx, args[0], id)
			}
			all, err := r.clusterLogs(ctx, id)
			if err != nil {
				return err
			}
			return list(r.screen, all, logColumns...)
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as more happens")
	return cmd
}

// clusterLogs is a cluster's whole log, oldest first.
func (r *remote) clusterLogs(ctx context.Context, id string) ([]logLine, error) {
	all, err := pages(ctx, r, "list the log of cluster "+id, "ListClusterLogs", values("ClusterId", id),
		func(a *api.ListClusterLogsResponse) []logLine { return a.Logs.LogInfo })
	slices.Reverse(all) // the newest comes first
	return all, err
}

// followLogs shows the log as it grows.
func (r *remote) followLogs(ctx context.Context, name, id string) error {
	seen := 0
	err := r.poll(ctx, func() (bool, error) {
		fresh, err := r.freshLogs(ctx, id, seen)
		if gone(err) && seen > 0 {
			fmt.Fprintf(r.err, "%s is gone\n", label(name, id))
			return true, nil
		}
		if err != nil {
			return false, err
		}
		err = r.showLogs(fresh, seen == 0)
		seen += len(fresh)
		return false, err
	})
	if errors.Is(err, context.Canceled) {
		err = nil // it is how following ends
	}
	return err
}

// freshLogs are the lines behind those that were seen; mostly there are none, so
// that one page is enough.
func (r *remote) freshLogs(ctx context.Context, id string, seen int) ([]logLine, error) {
	newest, err := call[api.ListClusterLogsResponse](ctx, r, "list the log of cluster "+id, "ListClusterLogs",
		values("ClusterId", id, "PageNumber", "1", "PageSize", "50"))
	if err != nil {
		return nil, err
	}
	fresh := max(newest.TotalCount-seen, 0)
	lines := newest.Logs.LogInfo
	slices.Reverse(lines)
	if fresh <= len(lines) {
		return lines[len(lines)-fresh:], nil
	}
	all, err := r.clusterLogs(ctx, id)
	return all[min(seen, len(all)):], err
}

// showLogs prints lines below those that stand there already.
func (r *remote) showLogs(lines []logLine, first bool) error {
	for i, l := range lines {
		var err error
		switch {
		case r.format == formatJSON:
			err = r.encode(l, "")
		case r.format == formatID:
			_, err = fmt.Fprintln(r.out, when(l.CreateTime))
		default:
			if first && i == 0 {
				fmt.Fprintf(r.out, logRow, "TIME", "LEVEL", "OPERATION", "MESSAGE")
			}
			_, err = fmt.Fprintf(r.out, logRow, when(l.CreateTime), shown(l.Level), shown(l.Operation), shown(l.Message))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// logRow has fixed widths: what comes later is not known when a line is printed.
const logRow = "%-19s  %-5s  %-19s  %s\n"
