package main

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"

	"ehpc/api"
)

func (c *cli) newUserCommand() *cobra.Command {
	cmd := c.addFlags(&cobra.Command{Use: "user", Short: "Add, change, list and delete a cluster's accounts", Args: noArgs, RunE: showHelp})
	cmd.AddCommand(c.newUserAddCommand(), c.newUserListCommand(),
		c.newUserDeleteCommand(), c.newUserPasswdCommand(), c.newUserGroupCommand())
	return cmd
}

func (c *cli) newUserAddCommand() *cobra.Command {
	var secret passwordSource
	var admin bool
	cmd := &cobra.Command{
		Use:   "add CLUSTER NAME",
		Short: "Add an account",
		Long: `Add an account. Its name has 6 to 30 letters, digits and dots; its password has 8
to 30 characters of at least three kinds and comes from --password-file, from
the variable EHPC_PASSWORD or from the terminal.`,
		Args: argsNamed("CLUSTER", "NAME"),
	}
	cmd.RunE = c.with(func(ctx context.Context, r *remote, args []string) error {
		id, err := r.cluster(ctx, args[0])
		if err != nil {
			return err
		}
		password, err := secret.choose(cmd, c.env, args[1])
		if err != nil {
			return err
		}
		group := "users"
		if admin {
			group = "wheel"
		}
		answer, err := call[api.AddUsersResponse](ctx, r, "add account "+args[1]+" to cluster "+args[0], "AddUsers", url.Values{
			"ClusterId": {id}, "User.1.Name": {args[1]}, "User.1.Group": {group}, "User.1.Password": {password},
		})
		if err != nil {
			return err
		}
		return r.done(answer, args[1], "account %s added to cluster %s", args[1], args[0])
	})
	cmd.Flags().BoolVar(&admin, "admin", false, "may use sudo on the nodes (group wheel)")
	secret.addFlag(cmd.Flags())
	return cmd
}

func (c *cli) newUserListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list CLUSTER",
		Short: "List a cluster's accounts",
		Args:  argsNamed("CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			type user = api.ListUsersUserInfo
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			all, err := pages(ctx, r, "list the accounts of cluster "+args[0], "ListUsers", values("ClusterId", id),
				func(a *api.ListUsersResponse) []user { return a.Users.UserInfo })
			if err != nil {
				return err
			}
			return list(r.screen, all,
				column[user]{"NAME", func(u user) string { return u.Name }},
				column[user]{"GROUP", func(u user) string { return u.Group }},
				column[user]{"ADDED", func(u user) string { return when(u.AddTime) }})
		}),
	}
}
