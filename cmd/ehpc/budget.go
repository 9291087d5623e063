package main

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ehpc/api"
)

type budget = api.ListBudgetsBudgetInfo

func (c *cli) newBudgetCommand() *cobra.Command {
	cmd := c.addFlags(&cobra.Command{Use: "budget", Short: "Limit what a cluster, a queue or an account may cost in a month", Args: noArgs, RunE: showHelp})
	cmd.AddCommand(c.newBudgetSetCommand(), c.newBudgetListCommand(), c.newBudgetDeleteCommand())
	return cmd
}

// budgetTarget is what a budget is for; neither is the cluster as a whole.
type budgetTarget struct{ queue, account string }

func (t *budgetTarget) addFlags(f *pflag.FlagSet) {
	f.StringVar(&t.queue, "queue", "", "`NAME` of the queue that it is for")
	f.StringVar(&t.account, "account", "", "`NAME` of the account that it is for")
}

func (t *budgetTarget) params(cluster string) url.Values {
	return values("ClusterId", cluster, "QueueName", t.queue, "UserName", t.account)
}

func (t *budgetTarget) of(cluster string) string {
	switch {
	case t.queue != "":
		return "queue " + t.queue + " of cluster " + cluster
	case t.account != "":
		return "account " + t.account + " of cluster " + cluster
	}
	return "cluster " + cluster
}

func (c *cli) newBudgetSetCommand() *cobra.Command {
	var of budgetTarget
	var action string
	cmd := &cobra.Command{
		Use:   "set CLUSTER LIMIT",
		Short: "Set what may be spent in a calendar month (UTC), or change it",
		Example: `  ehpc budget set lab 2000
  ehpc budget set lab 500 --queue night --at-limit stop-growing
  ehpc budget set lab 80.50 --account ada --at-limit hold-new-jobs`,
		Args: argsNamed("CLUSTER", "LIMIT"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			in := of.params(id)
			in.Set("Limit", args[1])
			in.Set("LimitAction", strings.ReplaceAll(action, "-", " "))
			answer, err := call[api.SetBudgetResponse](ctx, r, "set the budget of "+of.of(args[0]), "SetBudget", in)
			if err != nil {
				return err
			}
			return r.done(answer, args[1], "%s may cost %s a month, at the limit: %s", of.of(args[0]), args[1], in.Get("LimitAction"))
		}),
	}
	of.addFlags(cmd.Flags())
	cmd.Flags().StringVar(&action, "at-limit", "warn", "`ACTION` when it is reached: warn, stop-growing or hold-new-jobs")
	return cmd
}

func (c *cli) newBudgetListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list CLUSTER",
		Short: "List a cluster's budgets and what is spent of them this month",
		Args:  argsNamed("CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			answer, err := call[api.ListBudgetsResponse](ctx, r, "list the budgets of cluster "+args[0], "ListBudgets", values("ClusterId", id))
			if err != nil {
				return err
			}
			amount := func(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) + " " + answer.Currency }
			return list(r.screen, answer.Budgets.BudgetInfo,
				column[budget]{"OF", budgetName},
				column[budget]{"LIMIT", func(b budget) string { return amount(b.Limit) }},
				column[budget]{"SPENT", func(b budget) string { return amount(b.Spent) }},
				column[budget]{"PERCENT", func(b budget) string { return strconv.FormatFloat(b.Percent, 'f', 1, 64) }},
				column[budget]{"AT LIMIT", func(b budget) string { return b.LimitAction }},
				column[budget]{"REACHED", func(b budget) string { return when(b.ReachedTime) }},
				column[budget]{"SET BY", func(b budget) string { return b.Source }},
				column[budget]{"NOT IN EFFECT", func(b budget) string { return b.Reason }})
		}),
	}
}

func budgetName(b budget) string {
	switch {
	case b.QueueName != "":
		return "queue " + b.QueueName
	case b.UserName != "":
		return "account " + b.UserName
	}
	return "cluster"
}

func (c *cli) newBudgetDeleteCommand() *cobra.Command {
	var of budgetTarget
	cmd := &cobra.Command{
		Use:   "delete CLUSTER",
		Short: "Delete a budget; jobs that it held are let go",
		Args:  argsNamed("CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			answer, err := call[api.DeleteBudgetResponse](ctx, r, "delete the budget of "+of.of(args[0]), "DeleteBudget", of.params(id))
			if err != nil {
				return err
			}
			return r.done(answer, args[0], "the budget of %s is deleted", of.of(args[0]))
		}),
	}
	of.addFlags(cmd.Flags())
	return cmd
}
