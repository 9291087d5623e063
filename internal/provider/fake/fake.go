// Package fake is a provider without machines: it keeps in memory what a real
// one would have made, fails where a test wants it to, and outlives the control
// plane that uses it as real machines do.
package fake

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
)

// Options shape the fake. The zero value has room for everything and images of
// every name.
type Options struct {
	Cores    int      // of all machines together, 0 for no limit
	MemoryMB int      // likewise
	Images   []string // ids of the images that are there, nil for all
	// OnStart is called when a machine starts; stop, if not nil, is called once
	// when that machine ends. A test runs a node's agent there.
	OnStart func(m provider.Machine, spec provider.Spec) (stop func())
}

// Provider implements provider.Provider. All methods may be used concurrently.
type Provider struct {
	opts Options

	mu       sync.Mutex
	clusters map[string]*cluster
	machines map[string]*machine
	watchers map[chan struct{}]bool
	hook     func(Step) error
	failures map[Op][]error
	stock    map[string]int // by instance type
	boots    int
	locks    map[string]*sync.Mutex // by machine id
}

var (
	_ provider.Provider    = (*Provider)(nil)
	_ provider.Reclaimer   = (*Provider)(nil)
	_ provider.VolumeSizer = (*Provider)(nil)
)

type cluster struct {
	subnet    int
	addresses map[string]netip.Addr // by machine id, kept after its end
	holds     hpc.VolumeSize
}

type machine struct {
	provider.Machine
	spec provider.Spec
	stop func()
}

// New returns a fake host without anything on it.
func New(opts Options) *Provider {
	return &Provider{opts: opts, clusters: map[string]*cluster{}, machines: map[string]*machine{},
		watchers: map[chan struct{}]bool{}, failures: map[Op][]error{}, stock: map[string]int{}, locks: map[string]*sync.Mutex{}}
}

// CreateCluster remembers the cluster.
func (p *Provider) CreateCluster(ctx context.Context, id string) error {
	if err := p.reach(ctx, CreateCluster, id, Before); err != nil {
		return err
	}
	p.mu.Lock()
	if p.clusters[id] == nil {
		p.clusters[id] = &cluster{subnet: p.freeSubnet(), addresses: map[string]netip.Addr{}}
	}
	p.mu.Unlock()
	return p.reach(ctx, CreateCluster, id, After)
}

func (p *Provider) freeSubnet() int {
	for n := 0; ; n++ {
		if !slices.ContainsFunc(slices.Collect(maps.Values(p.clusters)), func(c *cluster) bool { return c.subnet == n }) {
			return n
		}
	}
}

// DeleteCluster forgets the cluster and ends its machines.
func (p *Provider) DeleteCluster(ctx context.Context, id string) error {
	if err := p.reach(ctx, DeleteCluster, id, Before); err != nil {
		return err
	}
	machines, err := p.List(ctx)
	if err != nil {
		return err
	}
	for _, m := range machines {
		if m.ClusterID == id {
			if err := p.Destroy(ctx, m.ID); err != nil {
				return err
			}
		}
	}
	if err := p.reach(ctx, DeleteCluster, id, Midway); err != nil {
		return err
	}
	p.mu.Lock()
	delete(p.clusters, id)
	p.mu.Unlock()
	return p.reach(ctx, DeleteCluster, id, After)
}

// Clusters lists the clusters by id.
func (p *Provider) Clusters(ctx context.Context) ([]string, error) {
	if err := p.reach(ctx, Clusters, "", Before); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.clusters)), nil
}

// Create starts the machine. A failure at Midway leaves it half made.
func (p *Provider) Create(ctx context.Context, spec provider.Spec) (provider.Machine, error) {
	if err := p.reach(ctx, Create, spec.ID, Before); err != nil {
		return provider.Machine{}, err
	}
	defer p.lock(spec.ID)()
	m, running, err := p.begin(spec)
	if err != nil || running {
		return m, err
	}
	if err := p.reach(ctx, Create, spec.ID, Midway); err != nil {
		return provider.Machine{}, err
	}
	m = p.start(spec.ID)
	return m, p.reach(ctx, Create, spec.ID, After)
}

// begin records the machine as being made, or finds it running.
func (p *Provider) begin(spec provider.Spec) (m provider.Machine, running bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.clusters[spec.ClusterID]
	if c == nil {
		return m, false, fmt.Errorf("cannot create machine %s: cluster %s has not been created", spec.ID, spec.ClusterID)
	}
	if have := p.machines[spec.ID]; have != nil && have.State == provider.Running {
		return have.Machine, true, nil
	}
	if p.opts.Images != nil && !slices.Contains(p.opts.Images, spec.Image) {
		return m, false, fmt.Errorf("cannot create machine %s: there is no image %q", spec.ID, spec.Image)
	}
	if err := p.fits([]hpc.InstanceType{spec.Type}, spec.ID); err != nil {
		return m, false, fmt.Errorf("cannot create machine %s: %w", spec.ID, err)
	}
	p.boots++
	m = provider.Machine{ID: spec.ID, ClusterID: spec.ClusterID, Hostname: spec.Hostname,
		Address: c.address(spec.ID).String(), State: provider.Starting, BootID: fmt.Sprintf("boot-%d", p.boots)}
	p.machines[spec.ID] = &machine{Machine: m, spec: spec}
	return m, false, nil
}

func (c *cluster) address(id string) netip.Addr {
	if _, ok := c.addresses[id]; !ok {
		n := len(c.addresses) + 2
		c.addresses[id] = netip.AddrFrom4([4]byte{10, byte(240 + c.subnet/256), byte(c.subnet), byte(n)})
	}
	return c.addresses[id]
}

// start needs the machine's lock.
func (p *Provider) start(id string) provider.Machine {
	p.mu.Lock()
	m := p.machines[id]
	m.State = provider.Running
	started, spec := m.Machine, m.spec
	p.mu.Unlock()
	if p.opts.OnStart == nil {
		return started
	}
	stop := p.opts.OnStart(started, spec)
	p.mu.Lock()
	defer p.mu.Unlock()
	m.stop = stop
	return started
}

// Destroy ends and forgets the machine.
func (p *Provider) Destroy(ctx context.Context, id string) error {
	if err := p.reach(ctx, Destroy, id, Before); err != nil {
		return err
	}
	defer p.lock(id)()
	p.end(id)
	if err := p.reach(ctx, Destroy, id, Midway); err != nil {
		return err
	}
	p.mu.Lock()
	delete(p.machines, id)
	p.mu.Unlock()
	return p.reach(ctx, Destroy, id, After)
}

// end stops the machine, if it runs. It needs the machine's lock.
func (p *Provider) end(id string) {
	p.mu.Lock()
	m := p.machines[id]
	if m == nil || m.State != provider.Running {
		p.mu.Unlock()
		return
	}
	m.State = provider.Dead
	stop := m.stop
	m.stop = nil
	p.tell()
	p.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// List returns the machines by id.
func (p *Provider) List(ctx context.Context) ([]provider.Machine, error) {
	if err := p.reach(ctx, List, "", Before); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	machines := []provider.Machine{}
	for _, id := range slices.Sorted(maps.Keys(p.machines)) {
		machines = append(machines, p.machines[id].Machine)
	}
	return machines, nil
}

// Fits compares with the options' limits.
func (p *Provider) Fits(ctx context.Context, types []hpc.InstanceType) error {
	if err := p.reach(ctx, Fits, "", Before); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fits(types, "")
}

func (p *Provider) fits(types []hpc.InstanceType, except string) error {
	cores, memory := 0, 0
	for id, m := range p.machines {
		if id != except {
			cores, memory = cores+m.spec.Type.Cores, memory+m.spec.Type.MemoryMB
		}
	}
	for _, t := range types {
		cores, memory = cores+t.Cores, memory+t.MemoryMB
	}
	if p.opts.Cores > 0 && cores > p.opts.Cores {
		return fmt.Errorf("%w: %d cores are wanted in all, there are %d", provider.ErrNoCapacity, cores, p.opts.Cores)
	}
	if p.opts.MemoryMB > 0 && memory > p.opts.MemoryMB {
		return fmt.Errorf("%w: %d MB of memory are wanted in all, there are %d", provider.ErrNoCapacity, memory, p.opts.MemoryMB)
	}
	return p.inStock(types, except)
}

// Watch calls changed after every end and notice, and at first if there was one.
func (p *Provider) Watch(ctx context.Context, changed func()) {
	news := make(chan struct{}, 1)
	p.mu.Lock()
	p.watchers[news] = true
	for _, m := range p.machines {
		if (m.State == provider.Dead || !m.Reclaim.IsZero()) && len(news) == 0 {
			news <- struct{}{}
		}
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, news)
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-news:
			changed()
		}
	}
}

func (p *Provider) lock(id string) (unlock func()) {
	p.mu.Lock()
	l := p.locks[id]
	if l == nil {
		l = &sync.Mutex{}
		p.locks[id] = l
	}
	p.mu.Unlock()
	l.Lock()
	return l.Unlock
}
