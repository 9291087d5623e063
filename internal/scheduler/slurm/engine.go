// Package slurm sets up and drives Slurm, as Debian 12 ships it (22.05). It runs
// on nodes, beside the daemons; it talks to them through Slurm's own commands.
package slurm

import (
	"context"
	"fmt"
	"strconv"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// FirstJobIDCommand is the argument that makes the agent's program call
// WriteFirstJobID.
const FirstJobIDCommand = "slurm-first-job-id"

// Where Slurm's things are on a node.
const (
	confDir     = "/etc/slurm"
	spoolDir    = "/var/spool/slurmd"
	runDir      = "/run/slurm"
	stateDir    = "/ehpc/state/slurm" // on the cluster's volume
	jobcompPath = stateDir + "/jobcomp.log"
	lastIDPath  = "/ehpc/state/last-job-id" // root's alone
	firstIDPath = confDir + "/first-job-id.conf"

	partitionsPath = confDir + "/partitions.conf"
	closedPath     = confDir + "/closed" // read at every submission
	queuePath      = confDir + "/queue"  // of a compute node
)

// Engine is Slurm.
type Engine struct {
	program string
	client  *client
}

var _ scheduler.Engine = (*Engine)(nil)

// New makes the engine; program is the agent's executable.
func New(program string) *Engine {
	return &Engine{program: program, client: newClient()}
}

// Driver implements scheduler.Engine.
func (e *Engine) Driver() scheduler.Driver { return e.client }

// Joining implements scheduler.Engine.
func (e *Engine) Joining() string { return "slurmd" }

// Changed implements scheduler.Engine.
func (e *Engine) Changed(ctx context.Context, plan hpc.NodePlan) error {
	for _, p := range partitions(plan) {
		argv := []string{"scontrol", "update", "partitionname=" + p.Name, "defmempercpu=" + strconv.Itoa(p.MemPerCPU)}
		if _, err := e.client.run(ctx, call{argv: argv}); err != nil {
			return err
		}
	}
	return nil
}

// Services implements scheduler.Engine.
func (e *Engine) Services(plan hpc.NodePlan) []scheduler.Service {
	var services []scheduler.Service
	if plan.Self.HasRole(hpc.RoleManager) {
		services = append(services, e.slurmctld())
		if len(plan.Secrets.JWTKey) > 0 {
			services = append(services, slurmrestd())
		}
	}
	if plan.Self.HasRole(hpc.RoleCompute) {
		services = append(services, slurmd(plan.Self))
	}
	return services
}

func (e *Engine) slurmctld() scheduler.Service {
	return scheduler.Service{
		Name: "slurmctld",
		Argv: []string{"/usr/sbin/slurmctld", "-D"},
		User: "slurm",
		Dirs: []scheduler.File{
			{Path: runDir, Mode: 0o755, Owner: "slurm"},
			{Path: "/ehpc/state", Mode: 0o711}, // slurm must get through
			{Path: stateDir, Mode: 0o700, Owner: "slurm"},
			{Path: stateDir + "/state", Mode: 0o700, Owner: "slurm"},
		},
		Before: []string{e.program, FirstJobIDCommand},
		Ready:  []string{"/usr/bin/scontrol", "ping"},
	}
}

// slurmrestd hands over the jobs that the agent submits. Nobody needs it to be
// there: what it does not take, sbatch does.
func slurmrestd() scheduler.Service {
	return scheduler.Service{
		Name: "slurmrestd",
		Argv: []string{"/usr/sbin/slurmrestd", "-a", "rest_auth/jwt", "-s", "openapi/v0.0.38", "unix:" + restSocket},
		User: "daemon", // nothing else is this user's; it may neither be root nor slurm
		Env: []string{
			"SLURM_JWT=daemon", // it takes its callers' tokens, and has none
			"SLURMRESTD_SECURITY=disable_unshare_sysv,disable_unshare_files", // rights that nodes do not have
		},
		Dirs: []scheduler.File{{Path: restDir, Mode: 0o700, Owner: "daemon"}},
	}
}

// slurmd registers its node by itself, with what the plan says of it. The queue
// counts the first time alone and is read from a file: a node that is moved keeps
// its daemon, which takes long to stop while jobs run. It registers as down and is
// in service at once (ReturnToService=2): for a node that comes back, and for no
// other, Slurm tries the jobs that wait before its next round.
func slurmd(self hpc.Member) scheduler.Service {
	conf := fmt.Sprintf("CPUs=%d RealMemory=%d State=DOWN Feature=$(cat %s)", self.Cores, self.MemoryMB, queuePath)
	return scheduler.Service{
		Name: "slurmd",
		Argv: []string{"/bin/sh", "-c", `exec /usr/sbin/slurmd -D -Z --conf "` + conf + `"`},
		Dirs: []scheduler.File{
			{Path: runDir, Mode: 0o755, Owner: "slurm"},
			{Path: spoolDir, Mode: 0o755},
		},
		// It listens once it has set everything up. Connecting would be logged as an error.
		Ready: []string{"/bin/sh", "-c", fmt.Sprintf("/usr/bin/grep -q ':%04X [0-9A-F]*:0000 0A' /proc/net/tcp", slurmdPort)},
	}
}

func queueOf(m hpc.Member) string {
	if m.Queue == "" {
		return hpc.DefaultQueue
	}
	return m.Queue
}
