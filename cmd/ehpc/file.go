package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ehpc/api"
)

// maxFile keeps a file, once encoded, below the service's limit of 2 MiB for a request.
const maxFile = 1 << 20

func (c *cli) newFileCommand() *cobra.Command {
	cmd := c.addFlags(&cobra.Command{Use: "file", Short: "Put job files on a cluster", Args: noArgs, RunE: showHelp})
	cmd.AddCommand(c.newFilePutCommand())
	return cmd
}

func (c *cli) newFilePutCommand() *cobra.Command {
	var as string
	var secret passwordSource
	cmd := &cobra.Command{
		Use:   "put CLUSTER LOCAL REMOTE",
		Short: "Put a text file on a cluster, as one of its accounts",
		Long: `Put a text file of up to 1 MiB on a cluster, as one of its accounts. LOCAL is - for
standard input; a REMOTE that is not absolute is below the account's home.`,
		Example: "  ehpc file put lab job.sh runs/job.sh --as lovelace",
		Args:    argsNamed("CLUSTER", "LOCAL", "REMOTE"),
	}
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if as == "" {
			return &usageError{cmd.CommandPath(), "missing --as ACCOUNT"}
		}
		return nil
	}
	cmd.RunE = c.with(func(ctx context.Context, r *remote, args []string) error {
		content, err := readFile(cmd, args[1])
		if err != nil {
			return err
		}
		id, err := r.cluster(ctx, args[0])
		if err != nil {
			return err
		}
		password, err := secret.ask(cmd, c.env, as)
		if err != nil {
			return err
		}
		target := inHome(as, args[2])
		answer, err := call[api.CreateJobFileResponse](ctx, r, "put "+target+" on cluster "+args[0], "CreateJobFile", url.Values{
			"ClusterId": {id}, "TargetFile": {target}, "Content": {content}, "RunasUser": {as}, "RunasUserPassword": {password},
		})
		if err != nil {
			return err
		}
		return r.done(answer, target, "%s put on cluster %s (%d bytes)", target, args[0], len(content))
	})
	cmd.Flags().StringVar(&as, "as", "", "account that the file is written as")
	secret.addFlag(cmd.Flags())
	return cmd
}

func readFile(cmd *cobra.Command, name string) (string, error) {
	from := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", &failure{"read " + name, err}
		}
		defer f.Close()
		from = f
	}
	content, err := io.ReadAll(io.LimitReader(from, maxFile+1))
	switch {
	case err != nil:
		return "", &failure{"read " + name, err}
	case len(content) > maxFile:
		return "", &failure{"put " + name, fmt.Errorf("it has more than %d bytes; copy big files with scp through a login node", maxFile)}
	case !utf8.Valid(content):
		return "", &failure{"put " + name, fmt.Errorf("it is not text; copy such files with scp through a login node")}
	}
	return string(content), nil
}

// inHome makes a path of an account absolute.
func inHome(account, p string) string {
	if path.IsAbs(p) {
		return p
	}
	return path.Join("/home", account, p)
}
