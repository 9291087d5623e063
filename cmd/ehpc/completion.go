package main

import (
	"context"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"ehpc/api"
)

// completionTimeout bounds what a shell waits for after a tab.
const completionTimeout = 1500 * time.Millisecond

func newCompletionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print what makes a shell complete commands, names and parameters",
		Long: `Print what makes a shell complete commands, flags, actions and their parameters, and
the names of clusters, nodes, accounts and jobs, which the service is asked for.`,
		Example: `  source <(ehpc completion bash)          # for this shell; bash needs the package bash-completion
  ehpc completion bash > /etc/bash_completion.d/ehpc
  ehpc completion zsh > "${fpath[1]}/_ehpc"
  ehpc completion fish > ~/.config/fish/completions/ehpc.fish`,
		Args:                  argsNamed("SHELL"),
		DisableFlagsInUseLine: true,
	}
	scripts := map[string]func(root *cobra.Command, w io.Writer) error{
		"bash": func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh":  (*cobra.Command).GenZshCompletion,
		"fish": func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	}
	cmd.ValidArgs = []string{"bash", "zsh", "fish"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		script, known := scripts[args[0]]
		if !known {
			return &usageError{cmd.CommandPath(), "unknown shell \"" + args[0] + "\": it is bash, zsh or fish"}
		}
		return script(cmd.Root(), cmd.OutOrStdout())
	}
	return cmd
}

// lister lists what may stand in a place of a command line.
type lister func(ctx context.Context, r *remote, args []string) ([]string, error)

// placeNames are the words of Use whose values the service knows. Those but
// CLUSTER belong to the cluster that is named first.
var placeNames = map[string]lister{
	"CLUSTER": func(ctx context.Context, r *remote, _ []string) ([]string, error) {
		all, err := r.listClusters(ctx)
		return each(all, func(c api.ListClustersClusterInfoSimple) string { return c.Name + "\t" + c.Id + ", " + c.Status }), err
	},
	"JOB": inCluster(func(ctx context.Context, r *remote, cluster string) ([]string, error) {
		all, err := r.listJobs(ctx, cluster, "all", "")
		return each(all, func(j job) string { return j.Id + "\t" + j.Name + ", " + j.State }), err
	}),
	"NODE": inCluster(func(ctx context.Context, r *remote, cluster string) ([]string, error) {
		all, err := r.listNodes(ctx, cluster, "")
		return each(all, func(n api.ListNodesNodeInfo) string { return n.HostName + "\t" + n.Status }), err
	}),
	"ACCOUNT": inCluster(func(ctx context.Context, r *remote, cluster string) ([]string, error) {
		answer, err := call[api.ListUsersResponse](ctx, r, "", "ListUsers", values("ClusterId", cluster, "PageSize", "50"))
		return each(answer.Users.UserInfo, func(u api.ListUsersUserInfo) string { return u.Name + "\t" + u.Group }), err
	}),
	"QUEUE": inCluster(func(ctx context.Context, r *remote, cluster string) ([]string, error) {
		answer, err := call[api.ListQueuesResponse](ctx, r, "", "ListQueues", values("ClusterId", cluster))
		return each(answer.Queues.QueueInfo, func(q api.ListQueuesQueueInfo) string { return q.QueueName }), err
	}),
	"TEMPLATE": func(ctx context.Context, r *remote, _ []string) ([]string, error) {
		answer, err := call[api.ListJobTemplatesResponse](ctx, r, "", "ListJobTemplates", url.Values{"PageSize": {"50"}})
		return each(answer.Templates.JobTemplates, func(t template) string { return t.Id + "\t" + t.Name }), err
	},
}

// choices are the words of places and flags that need no service.
var choices = map[string][]string{
	"GROUP":       {"users\tordinary accounts", "wheel\tmay use sudo"},
	"output":      {formatTable, formatJSON, formatID},
	"role":        {"Manager", "Login", "Compute"},
	"state":       {"all", "finished", "notfinish"},
	"deploy-mode": {"Standard", "Simple", "Tiny", "OneBox"},
	"scheduler":   {"slurm"},
	"at-limit":    {"warn", "stop-growing", "hold-new-jobs"},
}

// flagNames are the flags whose values the service knows.
var flagNames = map[string]lister{
	"account": placeNames["ACCOUNT"],
	"as":      placeNames["ACCOUNT"],
	"owner":   placeNames["ACCOUNT"],
	"node":    placeNames["NODE"],
	"queue":   placeNames["QUEUE"],
}

func inCluster(list func(ctx context.Context, r *remote, cluster string) ([]string, error)) lister {
	return func(ctx context.Context, r *remote, args []string) ([]string, error) {
		if len(args) == 0 {
			return nil, nil
		}
		id, err := r.cluster(ctx, args[0])
		if err != nil {
			return nil, err
		}
		return list(ctx, r, id)
	}
}

func each[T any](all []T, text func(T) string) []string {
	words := make([]string, len(all))
	for i, item := range all {
		words[i] = text(item)
	}
	return words
}

// complete gives every command below cmd the completion of its places, which it
// names in Use, and of its flags.
func (c *cli) complete(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		c.complete(sub)
	}
	if places := places(cmd.Use); cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 && !cmd.HasSubCommands() {
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			return c.completePlace(cmd, places, args, typed)
		}
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if choices[f.Name] == nil && flagNames[f.Name] == nil {
			return
		}
		err := cmd.RegisterFlagCompletionFunc(f.Name, func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			return c.words(cmd, f.Name, flagNames[f.Name], args, typed), cobra.ShellCompDirectiveNoFileComp
		})
		if err != nil {
			panic(err) // the flag is there
		}
	})
}

// places are the arguments that a command's Use names, in order. A last one that
// ends in "..." may be repeated.
func places(use string) []string {
	var names []string
	for _, word := range strings.Fields(use)[1:] {
		if strings.HasPrefix(word, "-") {
			break
		}
		names = append(names, word)
	}
	return names
}

func (c *cli) completePlace(cmd *cobra.Command, places, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	i := len(args)
	if n := len(places); n > 0 && i >= n && strings.HasSuffix(places[n-1], "...") {
		i = n - 1
	}
	if i >= len(places) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	place := strings.TrimSuffix(places[i], "...")
	if place == "FILE" || place == "LOCAL" {
		return nil, cobra.ShellCompDirectiveDefault
	}
	words := c.words(cmd, place, placeNames[place], args, typed)
	taken := func(word string) bool {
		name, _, _ := strings.Cut(word, "\t")
		return slices.Contains(args[min(1, len(args)):], name)
	}
	return slices.DeleteFunc(words, taken), cobra.ShellCompDirectiveNoFileComp
}

// words are what may be typed there: the choices of that name, or what the
// service lists in time; a shell can show no error.
func (c *cli) words(cmd *cobra.Command, name string, list lister, args []string, typed string) []string {
	all := slices.Clone(choices[name])
	if list != nil {
		all = c.listed(cmd.Context(), list, args)
	}
	return startingWith(typed, all)
}

func startingWith(typed string, words []string) []string {
	return slices.DeleteFunc(words, func(word string) bool { return !strings.HasPrefix(word, typed) })
}

func (c *cli) listed(ctx context.Context, list lister, args []string) []string {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	service, err := c.service(0, nil)
	if err != nil {
		return nil
	}
	words, err := list(ctx, &remote{api: service, every: c.every}, args)
	if err != nil {
		return nil
	}
	return harmless(words)
}

// harmless leaves out names that are not what is shown of them, and shows no
// more of the descriptions: the shell prints both on a terminal.
func harmless(words []string) []string {
	var list []string
	for _, word := range words {
		name, about, described := strings.Cut(word, "\t")
		if name != shown(name) {
			continue
		}
		if described {
			name += "\t" + shown(about)
		}
		list = append(list, name)
	}
	return list
}
