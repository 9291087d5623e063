// Command ehpc-agent looks after one node: it dials the control plane and does
// what it is told. Its subcommands are helpers that it starts itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"ehpc/internal/agent"
	"ehpc/internal/fence"
	"ehpc/internal/link"
	"ehpc/internal/meter"
	"ehpc/internal/scheduler"
	"ehpc/internal/scheduler/slurm"
)

const socket = "/ehpc/link/" + link.SocketName

func main() {
	// A node has better uses for memory than an agent's garbage.
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(64 << 20)
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "ehpc-agent:", err)
		if errors.Is(err, link.ErrDenied) {
			os.Exit(agent.ExitDenied)
		}
		os.Exit(agent.ExitFailed)
	}
}

func run(args []string) error {
	if len(args) >= 2 && strings.HasPrefix(args[0], fence.RunCommand+" ") {
		return fence.RunJob(fence.SocketPath, args[0], args[1:], started) // which takes the signals itself
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch {
	case len(args) == 0:
		return serve(ctx)
	case len(args) == 3 && args[0] == "run-command":
		return agent.RunCommand(ctx, "/", args[1], args[2])
	case len(args) == 3 && args[0] == "write-file":
		return agent.PutAccountFile(args[1], args[2], os.Stdin)
	case len(args) == 5 && args[0] == "read-file":
		return agent.GetAccountFile(args[1], args[2], args[3], args[4], os.Stdout)
	case len(args) == 1 && args[0] == "job-paths":
		return agent.LookAtJobPaths("/", os.Stdin, os.Stdout)
	case len(args) == 2 && args[0] == "authorized-keys":
		return agent.GetAuthorizedKeys(args[1], os.Getuid(), os.Stdout)
	case len(args) == 1 && args[0] == slurm.FirstJobIDCommand:
		return writeFirstJobID()
	}
	return fmt.Errorf("unknown arguments %q", args)
}

// engines are all schedulers that this agent can set up.
func engines(program string) map[string]scheduler.Engine {
	return map[string]scheduler.Engine{"slurm": slurm.New(program)}
}

// started are what the schedulers tell a batch script of its job.
var started = map[string]func(env func(string) string) (fence.Started, error){
	"slurm": func(env func(string) string) (s fence.Started, err error) {
		s.ID, s.Task, s.Restarts, err = slurm.Started(env)
		return s, err
	},
}

// journal is where the cluster's jobs and their runs are written down: on its
// volume, which all its nodes have.
var journal = fence.Open("/ehpc/claims")

// recent is how far back the ids of runs matter: of older ones the controller's
// own records tell.
const recent = time.Hour

func writeFirstJobID() error {
	highest, err := journal.Highest(time.Now().Add(-recent))
	if err != nil {
		return err
	}
	return slurm.WriteFirstJobID(highest)
}

func serve(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find my own program: %w", err)
	}
	a, err := agent.New(agent.Options{
		Root:       "/",
		Program:    program,
		Supervisor: agent.S6{Root: "/", Dir: "/service", Logs: "/var/log/ehpc"},
		Journal:    journal,
		Engines:    engines(program),
		JobGroups:  slurm.JobGroups,
		BatchGroup: slurm.BatchGroup,
		Usage:      meter.Open("/ehpc/claims/usage"), // no token's shard has a name as long
		Log:        log,
	})
	if err != nil {
		return err
	}
	dial := func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	ssh, relay := link.SSHHandler(func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", "127.0.0.1:22")
	})
	l := link.NewAgent(log, dial, link.Handler(a, map[string]http.Handler{"/scheduler/": a.SchedulerHandler(), ssh: relay}))
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	wg.Go(func() { a.Watch(ctx, l.Changed) })
	wg.Go(func() { a.Prune(ctx) })
	wg.Go(func() { a.Measure(ctx) })
	wg.Go(func() { a.Weigh(ctx) })
	wg.Go(func() {
		err = a.TakeClaims(ctx)
		stop() // without it no job can begin: the supervisor starts this agent anew
	})
	l.Serve(ctx)
	wg.Wait()
	return err
}
