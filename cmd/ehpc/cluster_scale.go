package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ehpc/api"
)

type scaleStep = api.DescribeAutoScalePlanStepInfo

func (c *cli) newClusterScaleCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "scale CLUSTER --dry-run",
		Short: "Show what auto scaling would do now, and why",
		Long: `Show what auto scaling would do with a cluster now, and why: which nodes it would add
and of which type, which it would drain, and why it does nothing where it does
nothing. The service scales by itself; what it does is told by "ehpc cluster logs",
and "ehpc call SetAutoScaleConfig" says how.`,
		Example: "  ehpc cluster scale lab --dry-run",
		Args:    argsNamed("CLUSTER"),
	}
	cmd.RunE = c.with(func(ctx context.Context, r *remote, args []string) error {
		if !dryRun {
			return &usageError{cmd.CommandPath(), "scaling is automatic: --dry-run shows what would be done now, \"ehpc call SetAutoScaleConfig\" changes how, and \"ehpc node add\" and \"ehpc node delete\" do it by hand"}
		}
		id, err := r.cluster(ctx, args[0])
		if err != nil {
			return err
		}
		plan, err := call[api.DescribeAutoScalePlanResponse](ctx, r, "plan the scaling of cluster "+args[0], "DescribeAutoScalePlan", values("ClusterId", id))
		if err != nil {
			return err
		}
		return r.scalePlan(plan)
	})
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "change nothing (it is needed: scaling is automatic)")
	return cmd
}

func (r *remote) scalePlan(plan api.DescribeAutoScalePlanResponse) error {
	switch r.format {
	case formatJSON:
		return r.json(plan)
	case formatTable:
		fmt.Fprintln(r.out, shown(plan.Summary))
		if len(plan.Steps.StepInfo) == 0 {
			return nil
		}
		fmt.Fprintln(r.out)
	}
	return list(r.screen, plan.Steps.StepInfo,
		column[scaleStep]{"WHAT", scaleObject},
		column[scaleStep]{"QUEUE", func(s scaleStep) string { return s.QueueName }},
		column[scaleStep]{"ACTION", func(s scaleStep) string { return s.Action }},
		column[scaleStep]{"REASON", func(s scaleStep) string { return s.Reason }})
}

// scaleObject is what a step is about: nodes to add, a node, a job or a queue.
func scaleObject(s scaleStep) string {
	switch {
	case s.HostName != "":
		return s.HostName
	case s.JobId != "":
		return "job " + s.JobId
	case s.InstanceType == "":
		return s.QueueName
	}
	what := fmt.Sprintf("%d %s", s.Count, s.InstanceType)
	switch s.SpotStrategy {
	case "SpotAsPriceGo":
		return what + ", preemptible"
	case "SpotWithPriceLimit":
		return fmt.Sprintf("%s, preemptible to %v", what, s.SpotPriceLimit)
	}
	return what
}
