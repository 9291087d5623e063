package local

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"ehpc/internal/provider"
)

// Options say where and how machines are made.
type Options struct {
	// Dir is the data directory; it may be shared with others, which keep out of
	// its machines, clusters, agent and runc directories. One process at a time.
	Dir string
	// Image returns the root file system of an image.
	Image func(id string) (rootfs string, err error)
	// AgentPath is the agent's program; machines get a copy. "" for none.
	AgentPath string
	// LinkDir makes and returns the directory that the machine sees at /ehpc/link.
	// nil for none.
	LinkDir func(nodeID string) (string, error)
	// CoreOvercommit is how often a core of the host may be promised, 0 for
	// DefaultCoreOvercommit; MemoryOvercommit the same for memory.
	CoreOvercommit   float64
	MemoryOvercommit float64
	// Pool is where clusters get their /24 from; the zero value for DefaultPool.
	Pool netip.Prefix
	Log  *slog.Logger
}

// Cores are promised several times because a busy host only gets slower, and
// clusters are tried out on small hosts. Memory that is missing kills, but most
// machines use a small part of theirs.
const (
	DefaultCoreOvercommit   = 8
	DefaultMemoryOvercommit = 2
)

// DefaultPool is where clusters get their networks from. The host itself has
// no address in them.
var DefaultPool = netip.MustParsePrefix("10.240.0.0/12")

// Provider makes machines on this host.
type Provider struct {
	opts     Options
	instance string // tells this directory's things on the host from others'
	agentDir string // copy of the agent that new machines get, "" for none
	runc     runc
	cgroups  cgroups
	host     capacity
	log      *slog.Logger

	locks   keyedLocks // by machine or cluster id; machine before cluster
	network sync.Mutex // choosing networks, writing the firewall
	reserve sync.Mutex // counting what is promised and promising more
	inits   registry

	crash func(point string) bool // for tests: stop here as if killed
}

var (
	_ provider.Provider  = (*Provider)(nil)
	_ provider.Reclaimer = (*Provider)(nil)
)

// New checks the host and takes up what the directory holds. Errors that wrap
// provider.ErrHost say what to install or how to run. It makes this process the
// one that orphans below it fall to (prctl's PR_SET_CHILD_SUBREAPER).
func New(ctx context.Context, opts Options) (*Provider, error) {
	if opts.CoreOvercommit == 0 {
		opts.CoreOvercommit = DefaultCoreOvercommit
	}
	if opts.MemoryOvercommit == 0 {
		opts.MemoryOvercommit = DefaultMemoryOvercommit
	}
	if !opts.Pool.IsValid() {
		opts.Pool = DefaultPool
	}
	groups, err := checkHost(ctx, opts)
	if err != nil {
		return nil, err
	}
	p := &Provider{opts: opts, cgroups: groups, log: opts.Log, runc: runc{root: filepath.Join(opts.Dir, "runc")}}
	for _, dir := range []string{"machines", "clusters", "agent", "runc"} {
		if err := os.MkdirAll(filepath.Join(opts.Dir, dir), 0o700); err != nil {
			return nil, fmt.Errorf("cannot make the data directory: %w", err)
		}
	}
	if p.instance, err = instanceID(opts.Dir); err != nil {
		return nil, err
	}
	if p.host, err = hostCapacity(opts); err != nil {
		return nil, err
	}
	if err := adoptOrphans(); err != nil {
		return nil, err
	}
	if err := p.installAgent(); err != nil {
		return nil, err
	}
	if err := p.takeUp(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// takeUp begins to watch the machines that an earlier process made, and puts
// the firewall back, which somebody may have flushed meanwhile.
func (p *Provider) takeUp(ctx context.Context) error {
	records, err := p.records()
	if err != nil {
		return err
	}
	for _, rec := range records {
		if rec.Phase == made {
			p.inits.add(rec)
		}
	}
	p.network.Lock()
	defer p.network.Unlock()
	if err := p.applyFirewall(ctx); err != nil {
		return fmt.Errorf("%w: %w; is the kernel's nf_tables there?", provider.ErrHost, err)
	}
	warnBridgeFilter(ctx, p.log)
	return nil
}

var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// checkID keeps ids from meaning another path than their own.
func checkID(id string) error {
	if !validID.MatchString(id) {
		return fmt.Errorf("invalid id %q", id)
	}
	return nil
}

// reach is called at every point where being killed leaves something else behind.
func (p *Provider) reach(point string) error {
	if p.crash != nil && p.crash(point) {
		return errKilled
	}
	return nil
}

// keyedLocks is a mutex per id.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[string]*keyedLock
}

type keyedLock struct {
	sync.Mutex
	users int
}

func (k *keyedLocks) lock(id string) (unlock func()) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*keyedLock{}
	}
	l := k.locks[id]
	if l == nil {
		l = &keyedLock{}
		k.locks[id] = l
	}
	l.users++
	k.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, id)
		}
	}
}
