package main

import (
	"errors"

	"github.com/spf13/cobra"

	"ehpc/internal/config"
)

// newDevCommand runs a whole service on this machine.
func newDevCommand() *cobra.Command {
	var o serviceOptions
	var file, data, listen, advertise string
	var selfSigned bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a whole service on this machine, in the foreground",
		Long: `Run a whole service on this machine, in the foreground: the API, the store and
the nodes, which are containers. Needs root, runc, iproute2, nftables and, to
make the node image once, mmdebstrap.

The first access key and the endpoint are written to DIR/credentials.env. Nodes
and their jobs go on when the service is stopped; it takes them up again when it
is started on the same directory.

So that clusters can be tried out on a small machine, each core is promised to nodes
16 times and memory twice, unless the configuration says otherwise under overcommit;
a line at the start says what that makes.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := loadConfig(config.Dev(), file)
			if err != nil {
				return err
			}
			if conf.Store != "" {
				return errors.New("cannot run a dev service on the store that the configuration names: run ehpc server, or leave store out")
			}
			if cmd.Flags().Changed("data") || file == "" {
				conf.Data = data
			}
			if cmd.Flags().Changed("listen") {
				conf.Listen = listen
			}
			if advertise != "" {
				conf.Advertise = advertise
			}
			if selfSigned {
				conf.TLS = config.TLS{SelfSigned: true}
			}
			if err := conf.Check(); err != nil {
				return err
			}
			return runService(cmd.Context(), o, conf)
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "`FILE`, the configuration")
	f.StringVar(&data, "data", config.Default().Data, "`DIR`, the data directory")
	f.StringVar(&listen, "listen", config.Default().Listen, "`ADDRESS` to serve on, port 0 for a free one")
	f.StringVar(&advertise, "advertise", "", "`HOST` or HOST:PORT where others reach the service, needed where --listen is every address")
	f.BoolVar(&selfSigned, "tls", false, "serve HTTPS with a certificate of its own (DIR/tls.crt)")
	o.addFlags(cmd)
	return cmd
}
