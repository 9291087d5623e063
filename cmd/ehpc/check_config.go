package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ehpc/internal/config"
)

func newCheckConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check-config FILE",
		Short: "Say all that is wrong with a configuration, before a service is started with it",
		Args:  argsNamed("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := config.Load(args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is good\n", args[0])
			return err
		},
	}
}
