package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"ehpc/api"
)

func (c *cli) newUserDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "delete CLUSTER ACCOUNT...",
		Short: "Delete accounts: their sessions end, their jobs are cancelled, their files stay",
		Args:  argsFrom("ACCOUNT", "CLUSTER"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			names := strings.Join(args[1:], " ")
			answer, err := call[api.DeleteUsersResponse](ctx, r, "delete "+names+" from cluster "+args[0], "DeleteUsers", users(id, args[1:], "", ""))
			if err != nil {
				return err
			}
			return r.done(answer, strings.Join(args[1:], "\n"), "%s deleted from cluster %s", names, args[0])
		}),
	}
}

func (c *cli) newUserPasswdCommand() *cobra.Command {
	var secret passwordSource
	cmd := &cobra.Command{
		Use:   "passwd CLUSTER ACCOUNT",
		Short: "Give an account another password",
		Args:  argsNamed("CLUSTER", "ACCOUNT"),
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
		answer, err := call[api.ModifyUserPasswordsResponse](ctx, r, "change the password of "+args[1]+" in cluster "+args[0],
			"ModifyUserPasswords", users(id, args[1:], "Password", password))
		if err != nil {
			return err
		}
		return r.done(answer, args[1], "account %s has another password in cluster %s", args[1], args[0])
	})
	secret.addFlag(cmd.Flags())
	return cmd
}

func (c *cli) newUserGroupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "group CLUSTER ACCOUNT GROUP",
		Short: "Move an account to the group users, or wheel, which may use sudo",
		Args:  argsNamed("CLUSTER", "ACCOUNT", "GROUP"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			id, err := r.cluster(ctx, args[0])
			if err != nil {
				return err
			}
			answer, err := call[api.ModifyUserGroupsResponse](ctx, r, "move account "+args[1]+" of cluster "+args[0]+" to group "+args[2],
				"ModifyUserGroups", users(id, args[1:2], "Group", args[2]))
			if err != nil {
				return err
			}
			return r.done(answer, args[1], "account %s of cluster %s is in group %s", args[1], args[0], args[2])
		}),
	}
}

// users are the parameters that name accounts, each with one more field unless
// that has no name.
func users(clusterID string, names []string, field, value string) url.Values {
	in := values("ClusterId", clusterID)
	for i, name := range names {
		in.Set(fmt.Sprintf("User.%d.Name", i+1), name)
		if field != "" {
			in.Set(fmt.Sprintf("User.%d.%s", i+1, field), value)
		}
	}
	return in
}
