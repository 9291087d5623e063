package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// someNodes are those that a command is about.
type someNodes struct {
	cluster, names string // as they were given
	clusterID      string
	ids            []string
	in             url.Values // of a request about them
}

func (s *someNodes) named() string { return s.names + " of cluster " + s.cluster }

// withNodes is with, for commands of the form "CLUSTER NODE...".
func (c *cli) withNodes(run func(ctx context.Context, r *remote, some *someNodes) error) func(*cobra.Command, []string) error {
	return c.with(func(ctx context.Context, r *remote, args []string) (err error) {
		some := &someNodes{cluster: args[0], names: strings.Join(args[1:], " ")}
		if some.clusterID, err = r.cluster(ctx, some.cluster); err != nil {
			return err
		}
		if some.ids, err = r.nodes(ctx, some.clusterID, args[1:]); err != nil {
			return err
		}
		some.in = values("ClusterId", some.clusterID)
		addInstances(some.in, some.ids)
		return run(ctx, r, some)
	})
}

// addInstances adds the list of nodes that a request is about.
func addInstances(in url.Values, ids []string) {
	for i, id := range ids {
		in.Set(fmt.Sprintf("Instance.%d.Id", i+1), id)
	}
}
