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

// versionText is the version for people.
func versionText() string {
	return fmt.Sprintf("ehpc %s (build %s, API %s, %s)", release, build, api.Spec().Version, runtime.Version())
}

func newVersionCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show this program's version and the API's",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			screen, err := newScreen(cmd, format)
			if err != nil {
				return err
			}
			v := struct{ Version, Build, Api, Go string }{release, build, api.Spec().Version, runtime.Version()}
			return screen.done(v, release, "%s", versionText())
		},
	}
	addFormat(cmd.Flags(), &format)
	return cmd
}
