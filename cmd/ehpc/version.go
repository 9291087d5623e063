package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"ehpc/api"
)

// version is set by the linker.
var version = "development"

func (c *cli) newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show this program's version and the API's",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "ehpc %s (API %s, %s)\n", version, api.Spec().Version, runtime.Version())
			return err
		},
	}
}
