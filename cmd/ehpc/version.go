package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"ehpc/api"
)

// version is set by the linker for releases.
var version = "development"

func (c *cli) newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show this program's version and the API's",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			built := ""
			if info, ok := debug.ReadBuildInfo(); ok {
				built = ", " + info.GoVersion
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						built += ", " + s.Value[:min(len(s.Value), 12)]
					}
				}
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "ehpc %s (API %s%s)\n", version, api.Spec().Version, built)
			return err
		},
	}
}
