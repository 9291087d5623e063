package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ehpc/api"
)

func (c *cli) newCallCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "call ACTION [--Parameter VALUE]...",
		Short: "Send any request of the API and print the answer as JSON",
		Long: `Send any request of the API and print the answer as JSON. Parameters are written
as the API names them, with a capital. A value @FILE is read from a file, @- from
standard input, and secrets must be given so. A leading @ itself is written @@.

ehpc call ACTION --help shows an action's parameters; without ACTION, all actions.`,
		Example: `  ehpc call ListClusters --PageSize 50
  ehpc call AddUsers --ClusterId ehpc-hz-x --User.1.Name lovelace \
      --User.1.Group users --User.1.Password @secret`,
		DisableFlagParsing: true, // the API's parameters are not ours to list
	}
	c.where.addFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.call(cmd, args) }
	cmd.ValidArgsFunction = c.completeCall
	return cmd
}

func (c *cli) call(cmd *cobra.Command, args []string) error {
	params, own, err := splitParams(cmd, args)
	if err != nil {
		return err
	}
	help := slices.ContainsFunc(own, func(a string) bool { return a == "--help" || a == "-h" })
	own = slices.DeleteFunc(own, func(a string) bool { return a == "--help" || a == "-h" })
	if err := cmd.Flags().Parse(own); err != nil {
		return &usageError{cmd.CommandPath(), err.Error()}
	}
	rest := cmd.Flags().Args()
	switch {
	case len(rest) == 0 && help:
		return cmd.Help()
	case len(rest) == 0:
		return listActions(cmd.OutOrStdout())
	case len(rest) > 1:
		return &usageError{cmd.CommandPath(), fmt.Sprintf("unexpected argument %q", rest[1])}
	}
	action, ok := api.Lookup(rest[0])
	if !ok {
		return &usageError{cmd.CommandPath(), fmt.Sprintf("there is no action %q%s", rest[0], suggest(rest[0], actionNames()))}
	}
	if help {
		return describeAction(cmd.OutOrStdout(), action)
	}
	in, err := bindParams(cmd, action, params)
	if err != nil {
		return err
	}
	c.format = formatJSON
	return c.with(func(ctx context.Context, r *remote, _ []string) error {
		answer, err := call[any](ctx, r, "call "+action.Name, action.Name, in)
		if err != nil {
			return err
		}
		return r.json(answer)
	})(cmd, nil)
}

// param is a parameter as it was typed.
type param struct{ name, value string }

// splitParams takes the API's parameters, which begin with a capital, from
// among the command's own arguments.
func splitParams(cmd *cobra.Command, args []string) (params []param, own []string, err error) {
	for i := 0; i < len(args); i++ {
		if len(args[i]) < 3 || !strings.HasPrefix(args[i], "--") || args[i][2] < 'A' || args[i][2] > 'Z' {
			own = append(own, args[i])
			continue
		}
		name, value, ok := strings.Cut(args[i][2:], "=")
		if !ok {
			if i++; i == len(args) {
				return nil, nil, &usageError{cmd.CommandPath(), "--" + name + " has no value"}
			}
			value = args[i]
		}
		params = append(params, param{name, value})
	}
	return params, own, nil
}

func bindParams(cmd *cobra.Command, action *api.Action, params []param) (url.Values, error) {
	in := url.Values{}
	for _, p := range params {
		known := findParam(action, p.name)
		if known == nil && !common(p.name) {
			return nil, &usageError{cmd.CommandPath() + " " + action.Name,
				fmt.Sprintf("%s has no parameter %s%s", action.Name, p.name, suggest(p.name, paramNames(action)))}
		}
		if known != nil && known.Secret && !strings.HasPrefix(p.value, "@") {
			return nil, &usageError{cmd.CommandPath() + " " + action.Name,
				fmt.Sprintf("%s is a secret and arguments show in the list of processes: give it as @FILE or @-", p.name)}
		}
		value, err := paramValue(cmd.InOrStdin(), p)
		if err != nil {
			return nil, err
		}
		if known != nil && known.Secret {
			value = strings.TrimRight(value, "\r\n")
		}
		in.Set(p.name, value)
	}
	return in, nil
}

func paramValue(stdin io.Reader, p param) (string, error) {
	name, isFile := strings.CutPrefix(p.value, "@")
	if !isFile || strings.HasPrefix(name, "@") {
		return name, nil
	}
	var content []byte
	var err error
	if name == "-" {
		content, err = io.ReadAll(stdin)
	} else {
		content, err = os.ReadFile(name)
	}
	if err != nil {
		return "", &failure{"read " + p.name, err}
	}
	return string(content), nil
}

// findParam finds a parameter by a name with list indexes: "User.1.Name" is "User.N.Name".
func findParam(action *api.Action, name string) *api.Param {
	segments := strings.Split(name, ".")
	for i, s := range segments {
		if strings.Trim(s, "0123456789") == "" {
			segments[i] = "N"
		}
	}
	return action.Param(strings.Join(segments, "."))
}

// indexed is the name of a parameter with an index for its first list, and 1 for
// the lists within that.
func indexed(p api.Param, index int) string {
	segments := slices.Clone(p.Segments()) // the catalogue stays as it is
	for i, s := range segments {
		if s == "N" {
			segments[i] = strconv.Itoa(index)
			index = 1
		}
	}
	return strings.Join(segments, ".")
}

// common tells whether every action takes the parameter.
func common(name string) bool {
	return name == "RegionId" || name == "ClientToken"
}

func actionNames() []string {
	var names []string
	for _, a := range api.Actions() {
		names = append(names, a.Name)
	}
	return names
}

func paramNames(action *api.Action) []string {
	var names []string
	for _, p := range action.Params {
		names = append(names, p.Name)
	}
	return names
}

// suggest names what the caller may have meant.
func suggest(typed string, known []string) string {
	var near []string
	for _, name := range known {
		if a, b := strings.ToLower(typed), strings.ToLower(name); strings.Contains(b, a) || strings.Contains(a, b) || distance(a, b) <= 2 {
			near = append(near, name)
		}
	}
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near[:min(len(near), 5)], ", ") + "?"
}

// distance is how many letters must be changed, added or dropped to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func listActions(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	group := ""
	for _, a := range api.Actions() {
		if a.Group != group {
			group = a.Group
			fmt.Fprintf(w, "\n%s\n", group)
		}
		fmt.Fprintf(w, "  %s\t%s\n", a.Name, a.SummaryEn)
	}
	return w.Flush()
}

func describeAction(out io.Writer, action *api.Action) error {
	fmt.Fprintf(out, "%s: %s\n", action.Name, action.SummaryEn)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range action.Params {
		need := ""
		if p.Mandatory() {
			need = "required"
		}
		about := p.DescEn
		if len(p.Enum) > 0 {
			about += " (" + strings.Join(p.Enum, ", ") + ")"
		}
		fmt.Fprintf(w, "  --%s\t%s\t%s\t%s\n", p.Name, p.Type, need, about)
	}
	return w.Flush()
}

func (c *cli) completeCall(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	words, directive := c.callWords(cmd, args)
	return startingWith(typed, words), directive
}

// callWords are actions, then parameters, then values that are known.
func (c *cli) callWords(cmd *cobra.Command, args []string) ([]string, cobra.ShellCompDirective) {
	const only = cobra.ShellCompDirectiveNoFileComp
	params, own, err := splitParams(cmd, args)
	open := ""      // the parameter whose value is being typed
	if err != nil { // the last one has none yet
		open = strings.TrimPrefix(args[len(args)-1], "--")
		params, own, _ = splitParams(cmd, args[:len(args)-1])
	}
	if err := cmd.Flags().Parse(own); err != nil {
		return nil, cobra.ShellCompDirectiveDefault // the value of a flag of ours
	}
	own = cmd.Flags().Args()
	if len(own) == 0 {
		var out []string
		for _, a := range api.Actions() {
			out = append(out, a.Name+"\t"+a.SummaryEn)
		}
		return out, only
	}
	action, ok := api.Lookup(own[0])
	if !ok {
		return nil, only
	}
	if open != "" {
		return c.completeValue(cmd, action, open, params)
	}
	return freeParams(action, params), only
}

// completeValue completes a parameter's value, by the catalogue or by the service.
func (c *cli) completeValue(cmd *cobra.Command, action *api.Action, name string, params []param) ([]string, cobra.ShellCompDirective) {
	p := findParam(action, name)
	switch {
	case p == nil:
		return nil, cobra.ShellCompDirectiveNoFileComp
	case p.Type == "boolean":
		return []string{"true", "false"}, cobra.ShellCompDirectiveNoFileComp
	case len(p.Enum) > 0:
		return slices.Clone(p.Enum), cobra.ShellCompDirectiveNoFileComp
	case p.Name == "ClusterId":
		return c.listed(cmd.Context(), clusterIDs, nil), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault // a file after the @
}

func clusterIDs(ctx context.Context, r *remote, _ []string) ([]string, error) {
	all, err := r.listClusters(ctx)
	return each(all, func(c api.ListClustersClusterInfoSimple) string { return c.Id + "\t" + c.Name }), err
}

// freeParams are the parameters that are not given yet; of those in lists, the next.
func freeParams(action *api.Action, params []param) []string {
	given := map[string]bool{}
	for _, p := range params {
		given[p.name] = true
	}
	var out []string
	for _, p := range action.Params {
		index := 1
		for given[indexed(p, index)] && slices.Contains(p.Segments(), "N") {
			index++
		}
		if name := indexed(p, index); !given[name] {
			out = append(out, "--"+name+"\t"+p.DescEn)
		}
	}
	return out
}
