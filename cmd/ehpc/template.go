package main

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"ehpc/api"
)

type template = api.ListJobTemplatesJobTemplates

func (c *cli) newTemplateCommand() *cobra.Command {
	cmd := c.addFlags(&cobra.Command{Use: "template", Short: "Keep what jobs ask for, by name", Args: noArgs, RunE: showHelp})
	cmd.AddCommand(c.newTemplateCreateCommand(), c.newTemplateEditCommand(), c.newTemplateListCommand(), c.newTemplateDeleteCommand())
	return cmd
}

// template are the parameters of a template with these job parameters. Paths
// are below the home of whoever runs the job unless the account is given.
func (s *submission) template(command string) url.Values {
	in := s.params("", "", command)
	in.Del("RunasUserPassword")
	if queue := in.Get("JobQueue"); queue != "" {
		in.Set("Queue", queue)
		in.Del("JobQueue")
	}
	if s.as == "" {
		for name, path := range s.paths() {
			in.Set(name, path)
		}
	}
	return in
}

func (c *cli) newTemplateCreateCommand() *cobra.Command {
	var s submission
	cmd := &cobra.Command{
		Use:     "create NAME -- COMMAND [ARG...]",
		Short:   "Make a job template",
		Example: `  ehpc template create melt --as lovelace --nodes 2 --time 01:00:00 -- ./melt.sh`,
		Args:    argsFrom("COMMAND", "NAME"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			s.name = args[0]
			answer, err := call[api.CreateJobTemplateResponse](ctx, r, "create template "+args[0], "CreateJobTemplate", s.template(shellLine(args[1:])))
			if err != nil {
				return err
			}
			return r.done(answer, answer.TemplateId, "template %s created (%s)", args[0], answer.TemplateId)
		}),
	}
	s.addJobFlags(cmd.Flags())
	return cmd
}

func (c *cli) newTemplateEditCommand() *cobra.Command {
	var s submission
	cmd := &cobra.Command{
		Use:   "edit TEMPLATE NAME -- COMMAND [ARG...]",
		Short: "Replace all that a job template holds, by its id",
		Args:  argsFrom("COMMAND", "TEMPLATE", "NAME"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			s.name = args[1]
			in := s.template(shellLine(args[2:]))
			in.Set("TemplateId", args[0])
			answer, err := call[api.EditJobTemplateResponse](ctx, r, "edit template "+args[0], "EditJobTemplate", in)
			if err != nil {
				return err
			}
			return r.done(answer, args[0], "template %s (%s) replaced", args[1], args[0])
		}),
	}
	s.addJobFlags(cmd.Flags())
	return cmd
}

func (c *cli) newTemplateListCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List job templates",
		Args:  noArgs,
		RunE: c.with(func(ctx context.Context, r *remote, _ []string) error {
			all, err := pages(ctx, r, "list the templates", "ListJobTemplates", values("Name", name),
				func(a *api.ListJobTemplatesResponse) []template { return a.Templates.JobTemplates })
			if err != nil {
				return err
			}
			return list(r.screen, all,
				column[template]{"ID", func(t template) string { return t.Id }},
				column[template]{"NAME", func(t template) string { return t.Name }},
				column[template]{"AS", func(t template) string { return t.RunasUser }},
				column[template]{"NODES", func(t template) string { return number(t.Node) }},
				column[template]{"TASKS", func(t template) string { return number(t.Task) }},
				column[template]{"TIME", func(t template) string { return t.ClockTime }},
				column[template]{"COMMAND", func(t template) string { return t.CommandLine }})
		}),
	}
	cmd.Flags().StringVar(&name, "name", "", "only those of this name")
	return cmd
}

func (c *cli) newTemplateDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "delete TEMPLATE...",
		Short: "Delete job templates by their ids, all or none",
		Args:  argsFrom("TEMPLATE"),
		RunE: c.with(func(ctx context.Context, r *remote, args []string) error {
			type named struct{ Id string }
			ids := make([]named, len(args))
			for i, id := range args {
				ids[i].Id = id
			}
			text, err := json.Marshal(ids)
			if err != nil {
				return err
			}
			all := strings.Join(args, " ")
			answer, err := call[api.DeleteJobTemplatesResponse](ctx, r, "delete templates "+all, "DeleteJobTemplates", values("Templates", string(text)))
			if err != nil {
				return err
			}
			return r.done(answer, strings.Join(args, "\n"), "deleted %s", all)
		}),
	}
}
