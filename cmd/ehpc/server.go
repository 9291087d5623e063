package main

import (
	"github.com/spf13/cobra"

	"ehpc/internal/config"
)

// defaultConfig is where a server looks for its configuration.
const defaultConfig = "/etc/ehpc/ehpc.yaml"

// newServerCommand runs a service as its configuration says.
func newServerCommand() *cobra.Command {
	var o serviceOptions
	var file string
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run a service as its configuration file says, in the foreground",
		Long: `Run a service as its configuration file says, in the foreground. It is what
ehpc dev runs, with everything configured: the address and its certificate, the
data directory, and the store, which several servers may share:

  listen: 0.0.0.0:443
  advertise: hpc.example.org
  tls: {certificate: /etc/ehpc/tls.crt, key: /etc/ehpc/tls.key}
  data: /var/lib/ehpc
  store: postgres://ehpc@db.example.org/ehpc?sslmode=verify-full
  store_password_file: /etc/ehpc/store-password

Each server makes nodes on its own machine and looks after the clusters on it. A core and
a megabyte of the machine are promised to nodes once, unless overcommit says more.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := loadConfig(config.Default(), file)
			if err != nil {
				return err
			}
			return runService(cmd.Context(), o, conf)
		},
	}
	cmd.Flags().StringVar(&file, "config", defaultConfig, "`FILE`, the configuration")
	o.addFlags(cmd)
	return cmd
}
