package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"ehpc/internal/action"
	"ehpc/internal/auth"
	"ehpc/internal/backup"
	"ehpc/internal/config"
	"ehpc/internal/fetch"
	"ehpc/internal/gateway"
	"ehpc/internal/image"
	"ehpc/internal/link"
	"ehpc/internal/provider/local"
	"ehpc/internal/reconcile"
	"ehpc/internal/sshca"
	"ehpc/internal/store"
)

// serviceOptions are what a service is started with beside its configuration.
type serviceOptions struct {
	cache, agent, ssh string
	verbose           bool
}

func (o *serviceOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.cache, "cache", image.DefaultDir, "`DIR` where node images are kept")
	f.StringVar(&o.agent, "agent", besideMe("ehpc-agent"), "`FILE`, the agent's program")
	f.StringVar(&o.ssh, "ssh", "", "`ADDRESS` for logins over ssh, or off (default "+gatewayAddress+", a free port beside a --listen with port 0)")
	f.BoolVar(&o.verbose, "verbose", false, "log more")
}

// besideMe is a program in the directory of this one.
func besideMe(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

// runService serves until ctx is done.
func runService(ctx context.Context, o serviceOptions, conf config.Config) (err error) {
	log := newLog(o.verbose)
	if conf.Data, err = filepath.Abs(conf.Data); err != nil {
		return err
	}
	if err := local.Check(ctx, conf.Data); err != nil {
		return err
	}
	place, sealer, err := storePlace(conf)
	if err != nil {
		return err
	}
	db, err := store.OpenAt(ctx, place, sealer, log) // and lock the data directory
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return serve(ctx, o, conf, db, sshca.New(sealer.Derive), log)
}

func storePlace(conf config.Config) (store.Place, *auth.Sealer, error) {
	place := store.Place{Dir: conf.Data, URL: conf.Store}
	var err error
	if conf.Store != "" {
		if place.Password, err = conf.StorePassword(os.Getenv); err != nil {
			return place, nil, err
		}
	}
	sealer, err := auth.OpenSealer(filepath.Join(conf.Data, sealerFile))
	return place, sealer, err
}

// serve wires the parts of a service together and runs them.
func serve(ctx context.Context, o serviceOptions, conf config.Config, db *store.Store, authority *sshca.Authority, log *slog.Logger) error {
	collectRarely()
	var control *reconcile.Control
	hub := link.NewHub(log, func(string) { control.Wake() })
	reach := links{hub: hub, dir: filepath.Join(conf.Data, "link")}
	images := image.Open(o.cache, log)
	machines, err := local.New(ctx, local.Options{
		Dir: conf.Data, AgentPath: o.agent, LinkDir: reach.nodeDir, Log: log,
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
	who, err := identify(db, conf.Data)
	if err != nil {
		return err
	}
	front, err := listen(conf, log)
	if err != nil {
		return takenAddress("the API", conf.Listen, "--listen ADDRESS, or listen in the configuration", "LISTEN", err)
	}
	defer front.Close()
	log.Info("nodes may be made", "offer", machines.Offer())
	if set := machines.Lacks(); len(set) > 0 {
		log.Warn("with so many nodes one may take what others need of this kernel; set what is missing", "run", "sysctl -w "+strings.Join(set, " "))
	}
	control = reconcile.New(reconcile.Options{Store: db, Provider: machines, Links: reach, SSH: authority,
		Scripts: scriptFetcher(conf), Limits: limitsOf(conf), Log: log,
		Server: who.server, Home: who.home, Endpoint: front.endpoint, Keep: restored(conf.Data, log),
		Tariff: conf.Tariff(), ComputeType: conf.ComputeType, MaxNodes: conf.MaxNodes,
		EndedJobsAfter: conf.EndedJobsAfter, Budgets: conf.Budgets, Currency: conf.Currency})
	var holder action.Holder
	if db.Shared() {
		holder = control.Holder
	}
	passwords := auth.NewPasswords()
	people, err := openLogin(sshAddress(o.ssh, conf.Listen), conf, gateway.Options{Store: db, Passwords: passwords, Authority: authority, Nodes: reach, Holder: holder, Log: log})
	if err != nil {
		return err
	}
	service := &action.Service{Store: db, Config: conf, Links: reach, Passwords: passwords, Fits: machines.Fits, Reclaims: true,
		Wake: control.Wake, Submitted: control.Submitted, UpToDate: control.UpToDate, Informed: control.Informed, ScalePlan: control.ScalePlan, VolumeSize: machines.VolumeSize, Version: release, Home: who.home, Holder: holder, Log: log,
		Images: func() ([]action.Image, error) { return []action.Image{listed(img)}, nil }}
	var loops sync.WaitGroup
	ctx, stop := context.WithCancelCause(ctx)
	loops.Go(func() { watchData(ctx, db.Lost, stop) })
	loops.Go(func() { control.Run(ctx) })
	loops.Go(func() { people.serve(ctx, log) })
	loops.Go(func() { front.reload(ctx) })
	err = serveHTTP(ctx, front, conf, db, service, people.credentials(), log)
	stop(nil)
	loops.Wait()
	return orLost(ctx, errors.Join(err, hub.Close()))
}

// limitsOf are the limits of the loops as they are configured.
func limitsOf(conf config.Config) reconcile.Limits {
	limits := reconcile.DefaultLimits
	limits.Minute = conf.AutoscaleMinute
	limits.Past = min(max(conf.EndedJobsAfter/30, time.Minute), limits.Past) // so that it is kept to, about
	return limits
}

// What a post-install script may cost: nobody waits for an answer meanwhile.
const (
	scriptLimit = 1 << 20
	scriptTime  = time.Minute
)

func scriptFetcher(conf config.Config) *fetch.Fetcher {
	return fetch.New(fetch.Limits{Bytes: scriptLimit, Time: scriptTime, Allow: conf.InputFiles.Prefixes()}, nil)
}

// restored tells whether the directory's store is a restored one.
func restored(dir string, log *slog.Logger) bool {
	marker := filepath.Join(dir, backup.Marker)
	made, err := os.ReadFile(marker)
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	log.Warn("the store was restored: machines and clusters that it does not know are kept until the marker is removed",
		"backup", strings.TrimSpace(string(made)), "marker", marker)
	return true
}

func newLog(verbose bool) *slog.Logger {
	level := slog.LevelInfo
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// loadConfig reads the configuration file over defaults, if one is named.
func loadConfig(defaults config.Config, file string) (config.Config, error) {
	if file == "" {
		return defaults, nil
	}
	conf, err := config.LoadOver(defaults, file)
	if err != nil {
		return conf, fmt.Errorf("cannot start: %w", err)
	}
	return conf, nil
}
