package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"ehpc/api"
)

// release is the version that the API tells; the changelog says what is in it.
const release = "0.1.0"

// build is the commit that this was built from, set by the linker.
var build = "development"

func (c *cli) newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show this program's version and the API's",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "ehpc %s (build %s, API %s, %s)\n", release, build, api.Spec().Version, runtime.Version())
			return err
		},
	}
}
