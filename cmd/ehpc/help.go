package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is how wide help may be.
const helpWidth = 100

// dress gives a command and all below it our way of help: what may be typed,
// examples, commands, its own flags, and those that all have, last.
func dress(cmd *cobra.Command) {
	cmd.SetUsageFunc(func(cmd *cobra.Command) error { return usage(cmd.OutOrStderr(), cmd) })
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if before, command, ok := strings.Cut(cmd.Use, " -- "); ok { // flags behind that are the command's
			cmd.Use, cmd.DisableFlagsInUseLine = before+" [flags] -- "+command, true
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(cmd)
}

func usage(w io.Writer, cmd *cobra.Command) error {
	var b strings.Builder
	section := func(title, text string) {
		if text != "" {
			fmt.Fprintf(&b, "\n%s\n%s\n", title, strings.TrimRight(text, "\n"))
		}
	}
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line = cmd.CommandPath() + " COMMAND"
	}
	fmt.Fprintf(&b, "Usage:\n  %s\n", line)
	section("Examples:", cmd.Example)
	for _, group := range cmd.Groups() {
		section(group.Title, subcommands(cmd, group.ID))
	}
	section("Commands:", subcommands(cmd, ""))
	section("Flags:", flagHelp(cmd.LocalNonPersistentFlags()))
	section("Which service, and how answers look:", flagHelp(everywhere(cmd)))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help tells more.\n", cmd.CommandPath())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// everywhere are the flags of a group of commands, which each of them has.
func everywhere(cmd *cobra.Command) *pflag.FlagSet {
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	all.AddFlagSet(cmd.InheritedFlags())
	all.AddFlagSet(cmd.PersistentFlags())
	return all
}

func subcommands(cmd *cobra.Command, group string) string {
	var b strings.Builder
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.GroupID == group {
			fmt.Fprintf(&b, "  %-*s  %s\n", max(cmd.Commands()[0].NamePadding(), 11), sub.Name(), sub.Short)
		}
	}
	return b.String()
}

// flagType is a flag's type as the library names it.
var flagType = regexp.MustCompile(`(?m)^( +(?:-\w, )? *--[\w-]+) (stringArray|strings|string|int|duration)\b`)

var flagWords = map[string]string{"stringArray": "TEXT", "strings": "TEXT", "string": "TEXT", "int": "N", "duration": "TIME"}

func flagHelp(flags *pflag.FlagSet) string {
	return flagType.ReplaceAllStringFunc(flags.FlagUsagesWrapped(helpWidth), func(found string) string {
		m := flagType.FindStringSubmatch(found)
		return fmt.Sprintf("%s %-*s", m[1], len(m[2]), flagWords[m[2]])
	})
}
