package reconcile

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"ehpc/internal/fetch"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/sshca"
	"ehpc/internal/store"
)

// Links reaches the nodes' agents.
type Links interface {
	// Listen accepts the node's agent; it may be called again at any time.
	Listen(nodeID string) error
	// Forget ends what Listen began.
	Forget(nodeID string)
	// Present tells whether the node's agent is connected.
	Present(nodeID string) bool
	// Node is the node's agent; its calls fail with link.ErrAbsent while it is not connected.
	Node(nodeID string) link.Node
	// Scheduler is the scheduler behind a manager's agent.
	Scheduler(nodeID string) scheduler.Scheduler
}

// Limits are how long things may take.
type Limits struct {
	Agent  time.Duration // from a machine's start until its agent is there
	Join   time.Duration // from a node's set-up until the scheduler has it
	Silent time.Duration // an agent may be away while its machine runs
	Step   time.Duration // one step
	Every  time.Duration // between two passes without a wake-up
	Retry  time.Duration // after the first failure of a step, doubling up to maxRetry
	Miss   time.Duration // a scheduler may not show a job after its start, before the job is held for lost: an end is told after it
	Rest   time.Duration // that a node in exception is left alone before it is tried again
	Lead   time.Duration // before a machine is taken back that its jobs go back to the queue: until then they may end, after it they may save what they have
	Minute time.Duration // that the settings of auto scaling count in
	Health time.Duration // between two looks at a node's health
	Figure time.Duration // after a run's end until no more of what it used is waited for
	Past   time.Duration // between two looks for jobs that ended long ago
	Lease  time.Duration // how long a server that died keeps others off its clusters
}

// DefaultLimits are the limits outside tests.
var DefaultLimits = Limits{
	Agent:  3 * time.Minute,
	Join:   3 * time.Minute,
	Silent: 60 * time.Second,
	Step:   5 * time.Minute,
	Every:  2 * time.Second,
	Retry:  500 * time.Millisecond,
	Miss:   2 * time.Second,
	Rest:   time.Minute,
	Lead:   15 * time.Second,
	Minute: time.Minute,
	Health: 10 * time.Second,
	Figure: 2 * time.Minute,
	Past:   24 * time.Hour,
	Lease:  15 * time.Second,
}

// Options are what the loops work with.
type Options struct {
	Store    *store.Store
	Provider provider.Provider
	Links    Links
	SSH      *sshca.Authority
	Scripts  *fetch.Fetcher // of post-install scripts
	Limits   Limits
	Log      *slog.Logger
	Server   string // names this server among those that share the store
	Endpoint string // where clients reach this server
	Home     string // of clusters whose machines only this server reaches; "" if every server does
	Keep     bool   // what no row wants: the store is older than the world

	Tariff      hpc.Tariff // what nodes cost, and are added as when jobs wait
	ComputeType string     // of clusters that name none
	MaxNodes    int        // in a cluster

	EndedJobsAfter time.Duration // jobs that ended so long ago are listed no more; 0 for never

	Budgets  []hpc.FileBudget // of the configuration
	Currency string           // of all prices

	Interrupt Interrupt // nil outside tests
}

// Control runs the loops.
type Control struct {
	Options

	clusters, nodes, accounts, jobs, releases, commands, sweep, renewal, scale, ledger, health, figures, budgets, past *Loop

	steps   inflight
	started time.Time
	queues  queues
	silent  silences
	mutes   mutes
	said    complaints
	looks   looks
	leases  leases
	known   knowledge
	turns   turns
}

// New prepares the loops; Run runs them.
func New(o Options) *Control {
	ctl := &Control{Options: o, started: time.Now(), turns: turns{life: rand.Text()}}
	ctl.clusters = newLoop("clusters", o.Limits.Every, o.Log, ctl.passClusters)
	ctl.nodes = newLoop("nodes", o.Limits.Every, o.Log, ctl.passNodes)
	ctl.accounts = newLoop("accounts", o.Limits.Every, o.Log, ctl.passAccounts)
	ctl.jobs = newLoop("jobs", o.Limits.Every, o.Log, ctl.passJobs)
	ctl.releases = newLoop("releases", o.Limits.Every, o.Log, ctl.passReleases)
	ctl.commands = newLoop("commands", o.Limits.Every, o.Log, ctl.passCommands)
	ctl.sweep = newLoop("sweep", 15*o.Limits.Every, o.Log, ctl.passSweep)
	ctl.scale = newLoop("scale", o.Limits.Every, o.Log, ctl.passScale)
	ctl.ledger = newLoop("ledger", o.Limits.Every, o.Log, ctl.passLedger)
	ctl.health = newLoop("health", o.Limits.Health, o.Log, ctl.passHealth)
	ctl.figures = newLoop("figures", o.Limits.Every, o.Log, ctl.passFigures)
	ctl.budgets = newLoop("budgets", o.Limits.Every, o.Log, ctl.passBudgets)
	ctl.past = newLoop("past jobs", o.Limits.Past, o.Log, ctl.passPast)
	ctl.renewal = newLoop("leases", o.Limits.Lease/3, o.Log, ctl.passLeases)
	return ctl
}

// Run runs every loop until ctx is done and waits for the steps under way.
func (ctl *Control) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, l := range ctl.loops() {
		wg.Go(func() { l.Run(ctx) })
	}
	wg.Go(func() { ctl.Provider.Watch(ctx, ctl.nodes.Wake) })
	wg.Wait()
	ctl.steps.wait()
	ctl.endLeases(ctx)
}

func (ctl *Control) loops() []*Loop {
	return []*Loop{ctl.clusters, ctl.accounts, ctl.nodes, ctl.jobs, ctl.releases, ctl.commands, ctl.sweep, ctl.renewal, ctl.scale, ctl.ledger, ctl.health, ctl.figures, ctl.budgets, ctl.past}
}

// Wake starts a pass of every loop: something was asked for, or has changed.
func (ctl *Control) Wake() {
	for _, l := range []*Loop{ctl.clusters, ctl.accounts, ctl.nodes, ctl.jobs, ctl.commands, ctl.scale, ctl.health} {
		l.Wake()
	}
}

// Submitted starts a pass of the loop that releases jobs.
func (ctl *Control) Submitted() { ctl.releases.Wake() }
