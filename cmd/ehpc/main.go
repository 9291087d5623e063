// Command ehpc is the service and its command line in one program.
//
// The commands that work on clusters speak the public API through package client, and
// share no state with the service; ehpc ssh goes through the service's gateway.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	c := &cli{env: os.Getenv, every: 300 * time.Millisecond}
	status := execute(ctx, newRoot(c))
	stop()
	os.Exit(status)
}

// cli is what the commands share: where the service is and how answers look.
type cli struct {
	env    func(string) string
	every  time.Duration // between two looks at something that is waited for
	where  connection
	format string
	raw    bool              // see screen
	http   http.RoundTripper // to the service; nil for the network
}

func newRoot(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:   "ehpc",
		Short: "Elastic HPC clusters on machines of your own",
		Long: `Elastic HPC clusters on machines of your own.

ehpc dev starts a whole service on this machine, ehpc server one that a file
configures. The other commands use a service that runs, found by --credentials,
EHPC_CREDENTIALS, the variables that such a file holds, or
~/.config/ehpc/credentials.env. What they print, how long they try, and their exit
statuses: docs/how-to/command-line.md.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.Version = release // which gives it the flag --version
	root.SetVersionTemplate(versionText() + "\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{cmd.CommandPath(), err.Error()}
	})
	root.AddGroup(&cobra.Group{ID: groupUse, Title: "Use a service:"}, &cobra.Group{ID: groupRun, Title: "Run one:"},
		&cobra.Group{ID: groupElse, Title: "Besides:"})
	for _, cmd := range []*cobra.Command{
		c.newClusterCommand(), c.newNodeCommand(), c.newUserCommand(), c.newFileCommand(),
		c.newJobCommand(), c.newTemplateCommand(), c.newQueueCommand(), c.newReportCommand(), c.newBudgetCommand(), c.newExecCommand(), c.newSSHCommand(), c.newCallCommand(),
	} {
		cmd.GroupID = groupUse
		root.AddCommand(cmd)
	}
	for _, cmd := range []*cobra.Command{newDevCommand(), newServerCommand(), newBackupCommand(), newRestoreCommand(), newKeyCommand(), newImageCommand(), newCheckConfigCommand()} {
		cmd.GroupID = groupRun
		root.AddCommand(cmd)
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newCompletionCommand(), newVersionCommand())
	for _, cmd := range root.Commands() {
		if cmd.GroupID == "" {
			cmd.GroupID = groupElse
		}
	}
	root.SetHelpCommandGroupID(groupElse)
	c.complete(root)
	dress(root)
	return root
}

// The sections of the root's help.
const (
	groupUse  = "use"
	groupRun  = "run"
	groupElse = "else"
)

// execute runs the command line and returns the exit status.
func execute(ctx context.Context, root *cobra.Command) int {
	cmd, err := root.ExecuteContextC(ctx)
	var other exitStatus
	if err != nil && !errors.As(err, &other) {
		fmt.Fprintln(cmd.ErrOrStderr(), "ehpc:", shownLines(explain(err)))
	}
	return statusOf(ctx, err)
}
