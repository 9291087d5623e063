package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"ehpc/internal/action"
	"ehpc/internal/auth"
	"ehpc/internal/config"
	"ehpc/internal/fetch"
	"ehpc/internal/gateway"
	"ehpc/internal/image"
	"ehpc/internal/link"
	"ehpc/internal/provider/local"
	"ehpc/internal/reconcile"
	"ehpc/internal/server"
	"ehpc/internal/sshca"
	"ehpc/internal/store"
)

// devOptions are what a service on this machine is started with.
type devOptions struct {
	data, cache, listen, ssh, agent, config string
	tls, verbose                            bool
}

// newDevCommand runs a whole service on this machine.
func newDevCommand() *cobra.Command {
	o := devOptions{}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a whole service on this machine, in the foreground",
		Long: `Run a whole service on this machine, in the foreground: the API, the store and
the nodes, which are containers. Needs root, runc, iproute2, nftables and, to
make the node image once, mmdebstrap.

The first access key and the endpoint are written to DIR/credentials.env. Nodes
and their jobs go on when the service is stopped; it takes them up again when it
is started on the same directory.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDev(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.data, "data", defaultData(), "data directory")
	f.StringVar(&o.cache, "cache", image.DefaultDir, "where node images are kept")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8412", "address to serve on, port 0 for a free one")
	f.StringVar(&o.ssh, "ssh", "", "`ADDRESS` for logins over ssh, or off (default "+gatewayAddress+", a free port beside a --listen with port 0)")
	f.StringVar(&o.agent, "agent", besideMe("ehpc-agent"), "the agent's program")
	f.StringVar(&o.config, "config", "", "configuration file")
	f.BoolVar(&o.tls, "tls", false, "serve HTTPS with a certificate of its own (DIR/tls.crt)")
	f.BoolVar(&o.verbose, "verbose", false, "log more")
	return cmd
}

func defaultData() string { return "/var/lib/ehpc" }

// besideMe is a program in the directory of this one.
func besideMe(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

func runDev(ctx context.Context, o devOptions) (err error) {
	log := newLog(o.verbose)
	conf := config.Default()
	if o.config != "" {
		if conf, err = config.Load(o.config); err != nil {
			return err
		}
	}
	if !o.tls && !loopback(o.listen) {
		return fmt.Errorf("cannot serve on %s without TLS: give --tls, or a loopback address", o.listen)
	}
	if o.data, err = filepath.Abs(o.data); err != nil {
		return err
	}
	if err := local.Check(ctx, o.data); err != nil {
		return err
	}
	sealer, err := auth.OpenSealer(filepath.Join(o.data, sealerFile))
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, o.data, sealer, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return serveDev(ctx, o, conf, db, sshca.New(sealer.Derive), log)
}

func serveDev(ctx context.Context, o devOptions, conf config.Config, db *store.Store, authority *sshca.Authority, log *slog.Logger) error {
	collectRarely()
	var control *reconcile.Control
	hub := link.NewHub(log, func(string) { control.Wake() })
	reach := links{hub: hub, dir: filepath.Join(o.data, "link")}
	images := image.Open(o.cache, log)
	machines, err := local.New(ctx, local.Options{
		Dir: o.data, AgentPath: o.agent, LinkDir: reach.nodeDir, Log: log,
		CoreOvercommit: conf.Overcommit.Cores, MemoryOvercommit: conf.Overcommit.Memory,
		Pool: netip.MustParsePrefix(conf.Network), // checked with the configuration
		Image: func(id string) (string, error) {
			img, err := images.Find(id)
			return img.Rootfs, err
		},
	})
	if err != nil {
		return err
	}
	img, err := images.Ensure(ctx, func(line string) { log.Info("node image", "step", line) })
	if err != nil {
		return err
	}
	control = reconcile.New(reconcile.Options{Store: db, Provider: machines, Links: reach, SSH: authority,
		Scripts: scriptFetcher(conf), Limits: reconcile.DefaultLimits, Log: log})
	passwords := auth.NewPasswords()
	people, err := openLogin(sshAddress(o.ssh, o.listen), gateway.Options{Store: db, Passwords: passwords, Authority: authority, Nodes: reach, Log: log})
	if err != nil {
		return err
	}
	service := &action.Service{Store: db, Config: conf, Links: reach, Passwords: passwords, Fits: machines.Fits,
		Wake: control.Wake, Submitted: control.Submitted, UpToDate: control.UpToDate, Version: release, Log: log,
		Images: func() ([]action.Image, error) { return []action.Image{listed(img)}, nil }}
	var loops sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	loops.Go(func() { control.Run(ctx) })
	loops.Go(func() { people.serve(ctx, log) })
	err = serveHTTP(ctx, o, conf, db, service, people.credentials(), log)
	stop()
	loops.Wait()
	return errors.Join(err, hub.Close())
}

// serveHTTP answers requests until ctx is done.
func serveHTTP(ctx context.Context, o devOptions, conf config.Config, db *store.Store, service *action.Service, more string, log *slog.Logger) error {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	scheme := "http"
	if o.tls {
		cert, err := server.SelfSigned(o.data)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		scheme = "https"
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	endpoint := scheme + "://" + listener.Addr().String()
	handler := server.New(server.Options{Handlers: service.Table(), Keys: action.Keys{Store: db}, Region: conf.Region, Log: log})
	srv := server.HTTPServer(handler, log)
	if err := writeCredentials(ctx, db, o.data, endpoint, conf.Region, more); err != nil {
		return errors.Join(err, listener.Close())
	}
	log.Info("serving", "endpoint", endpoint, "credentials", filepath.Join(o.data, credentialsFile))
	done := make(chan error, 1)
	go func() { done <- srv.Serve(listener) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = srv.Shutdown(ending)
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// What a post-install script may cost: nobody waits for an answer meanwhile.
const (
	scriptLimit = 1 << 20
	scriptTime  = time.Minute
)

func scriptFetcher(conf config.Config) *fetch.Fetcher {
	return fetch.New(fetch.Limits{Bytes: scriptLimit, Time: scriptTime, Allow: conf.InputFiles.Prefixes()}, nil)
}

func newLog(verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
