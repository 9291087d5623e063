package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ehpc/api"
)

func (c *cli) newNodeReclaimCommand() *cobra.Command {
	var notice time.Duration
	cmd := &cobra.Command{
		Use:   "reclaim CLUSTER NODE...",
		Short: "Have preemptible compute nodes taken back, by hostname or id",
		Long: `Have preemptible compute nodes taken back, as the market for them would.

Their jobs may come to their end until shortly before; those that have not are
put back into the queue, and the nodes are replaced.`,
		Example: "  ehpc node reclaim lab compute001 --notice 30s",
		Args:    argsFrom("NODE", "CLUSTER"),
		RunE: c.withNodes(func(ctx context.Context, r *remote, some *someNodes) error {
			if notice%time.Second != 0 {
				return fmt.Errorf("--notice %s: give whole seconds", notice)
			}
			some.in.Set("Notice", strconv.Itoa(int(notice/time.Second)))
			answer, err := call[api.ReclaimNodesResponse](ctx, r, "reclaim "+some.named(), "ReclaimNodes", some.in)
			if err != nil {
				return err
			}
			return r.done(answer, strings.Join(some.ids, "\n"), "taken back from cluster %s at %s: %s", some.cluster, whenExactly(answer.ReclaimTime), some.names)
		}),
	}
	cmd.Flags().DurationVar(&notice, "notice", 2*time.Minute, "how long before their machines end; 0 for none, 2m at most")
	return cmd
}
