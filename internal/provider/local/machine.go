package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ehpc/internal/provider"
)

// errKilled stands for the end of the process in tests: nothing is undone.
var errKilled = errors.New("killed here")

// undoLimit bounds the undoing of what a failed Create began.
const undoLimit = 30 * time.Second

// Create makes and starts the machine unless one of that id runs. What fails
// is undone.
func (p *Provider) Create(ctx context.Context, spec provider.Spec) (provider.Machine, error) {
	if err := checkSpec(spec); err != nil {
		return provider.Machine{}, fmt.Errorf("cannot create machine: %w", err)
	}
	defer p.locks.lock("machine " + spec.ID)()
	rec, err := p.loadRecord(spec.ID)
	if err == nil && rec.Phase == made && rec.Init.alive() {
		return rec.machine(), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return provider.Machine{}, fmt.Errorf("cannot create machine %s: %w", spec.ID, err)
	}
	rec, err = p.create(ctx, spec)
	if err != nil {
		return provider.Machine{}, fmt.Errorf("cannot create machine %s: %w", spec.ID, err)
	}
	return rec.machine(), nil
}

func checkSpec(spec provider.Spec) error {
	if err := errors.Join(checkID(spec.ID), checkID(spec.ClusterID)); err != nil {
		return err
	}
	if !validHostname.MatchString(spec.Hostname) {
		return fmt.Errorf("invalid hostname %q", spec.Hostname)
	}
	if spec.Type.Cores < 1 || spec.Type.MemoryMB < 64 {
		return fmt.Errorf("instance type %q has %d cores and %d MB of memory, that is too small", spec.Type.Name, spec.Type.Cores, spec.Type.MemoryMB)
	}
	return nil
}

func (p *Provider) create(ctx context.Context, spec provider.Spec) (record, error) {
	rootfs, err := p.opts.Image(spec.Image)
	if err != nil {
		return record{}, err
	}
	if err := p.clear(ctx, spec.ID); err != nil { // what is left of a dead or half made one
		return record{}, err
	}
	rec, err := p.promise(spec)
	if err != nil {
		return record{}, err
	}
	rec, err = p.start(ctx, rec, rootfs)
	if err != nil && !errors.Is(err, errKilled) {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoLimit)
		defer cancel()
		err = errors.Join(err, p.remove(undo, spec.ID))
	}
	return rec, err
}

// promise writes the machine's record, if it fits beside the others. From here
// on its cores and memory are taken.
func (p *Provider) promise(spec provider.Spec) (record, error) {
	p.reserve.Lock()
	defer p.reserve.Unlock()
	if err := p.fits(spec); err != nil {
		return record{}, err
	}
	addr, err := p.lease(spec.ClusterID, spec.ID)
	if err != nil {
		return record{}, err
	}
	rec := record{Spec: spec, Address: addr.String(), BootID: randomHex(16), Phase: making, AgentDir: p.agentDir}
	if err := os.MkdirAll(p.machineDir(spec.ID), 0o700); err != nil {
		return record{}, err
	}
	if err := p.saveRecord(rec); err != nil {
		return record{}, err
	}
	return rec, p.reach("machine recorded")
}

// start makes the machine's parts in an order in which each can be found again
// by the machine's id.
func (p *Provider) start(ctx context.Context, rec record, rootfs string) (record, error) {
	id := rec.Spec.ID
	n, err := p.ensureNetwork(ctx, rec.Spec.ClusterID)
	if err != nil {
		return rec, err
	}
	if err := p.writeBundle(rec, rootfs); err != nil {
		return rec, err
	}
	if err := p.reach("bundle written"); err != nil {
		return rec, err
	}
	if err := p.cgroups.create(p.group(id), limitsOf(rec.Spec)); err != nil {
		return rec, err
	}
	if err := p.reach("cgroup made"); err != nil {
		return rec, err
	}
	pid, err := p.runc.create(ctx, id, p.machineDir(id))
	if err != nil {
		return rec, err
	}
	if err := p.reach("container created"); err != nil {
		return rec, err
	}
	address := netip.PrefixFrom(netip.MustParseAddr(rec.Address), n.Subnet.Bits())
	if err := connect(pid, p.linkName("ev", id), n.Bridge, address); err != nil {
		return rec, err
	}
	if err := p.reach("network connected"); err != nil {
		return rec, err
	}
	if rec.Init, err = identify(pid); err != nil {
		return rec, err
	}
	if err := p.runc.start(ctx, id); err != nil {
		return rec, err
	}
	if err := p.reach("container started"); err != nil {
		return rec, err
	}
	rec.Phase = made
	if err := p.saveRecord(rec); err != nil {
		return rec, err
	}
	p.inits.add(rec)
	p.log.Info("machine started", "cluster", rec.Spec.ClusterID, "node", id, "address", rec.Address)
	return rec, nil
}

// ensureNetwork returns the cluster's network and puts back what a reboot of
// the host took.
func (p *Provider) ensureNetwork(ctx context.Context, clusterID string) (clusterNet, error) {
	n, err := p.loadNet(clusterID)
	if err != nil {
		return n, err
	}
	if linkExists(n.Bridge) {
		return n, p.guardFirewall(ctx)
	}
	defer p.locks.lock("cluster " + clusterID)()
	return n, p.makeCluster(ctx, clusterID)
}

// Destroy stops the machine and removes everything of it.
func (p *Provider) Destroy(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return fmt.Errorf("cannot destroy machine: %w", err)
	}
	defer p.locks.lock("machine " + id)()
	if err := p.remove(ctx, id); err != nil {
		return fmt.Errorf("cannot destroy machine %s: %w", id, err)
	}
	return nil
}

// remove clears the machine away and gives its address back; its directory,
// which makes it listed, goes last.
func (p *Provider) remove(ctx context.Context, id string) error {
	if err := p.clear(ctx, id); err != nil {
		return err
	}
	rec, err := p.loadRecord(id)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.release(rec.Spec.ClusterID, id); err != nil {
		return err
	}
	if err := p.reach("address released"); err != nil {
		return err
	}
	return os.RemoveAll(p.machineDir(id))
}

// clear removes all that a machine has but its record and its address.
func (p *Provider) clear(ctx context.Context, id string) error {
	rec, err := p.loadRecord(id)
	if err == nil && rec.Phase == made {
		rec.Init.stop(ctx)
	}
	p.inits.remove(rec.BootID)
	if err := p.reach("init stopped"); err != nil {
		return err
	}
	// Whatever is left in the group, a container that nobody finished included.
	if err := p.cgroups.kill(ctx, p.group(id), rec.Init); err != nil {
		return err
	}
	bury(ctx, p.group(id))
	// Before the runtime tries: it fails at groups that are nested too deep.
	if err := p.cgroups.remove(ctx, p.group(id)); err != nil {
		return err
	}
	if err := p.reach("cgroup removed"); err != nil {
		return err
	}
	if err := p.runc.delete(ctx, id); err != nil {
		return err
	}
	if err := p.reach("container deleted"); err != nil {
		return err
	}
	if err := removeLink(p.linkName("ev", id)); err != nil {
		return err
	}
	if err := p.removeDisk(ctx, id); err != nil {
		return err
	}
	return p.reach("disk removed")
}

// removeDisk leaves of the machine's directory its record alone.
func (p *Provider) removeDisk(ctx context.Context, id string) error {
	entries, err := os.ReadDir(p.machineDir(id))
	if err != nil {
		return ignoreMissing(err)
	}
	var paths []string
	for _, e := range entries {
		if e.Name() != recordName {
			paths = append(paths, filepath.Join(p.machineDir(id), e.Name()))
		}
	}
	return removeTrees(ctx, paths...)
}

// List returns what has a directory or a container.
func (p *Provider) List(ctx context.Context) ([]provider.Machine, error) {
	dirs, err := subdirs(filepath.Join(p.opts.Dir, "machines"))
	if err != nil {
		return nil, fmt.Errorf("cannot list machines: %w", err)
	}
	containers, err := subdirs(p.runc.root)
	if err != nil {
		return nil, fmt.Errorf("cannot list machines: %w", err)
	}
	ids := append(dirs, containers...)
	slices.Sort(ids)
	machines := []provider.Machine{}
	for _, id := range slices.Compact(ids) {
		rec, err := p.loadRecord(id)
		if errors.Is(err, fs.ErrNotExist) {
			rec.Spec.ID, err = id, nil // being made, or nearly gone
		}
		if err != nil {
			return nil, fmt.Errorf("cannot list machines: %w", err)
		}
		machines = append(machines, rec.machine())
	}
	return machines, nil
}

func (rec record) machine() provider.Machine {
	m := provider.Machine{ID: rec.Spec.ID, ClusterID: rec.Spec.ClusterID, Hostname: rec.Spec.Hostname,
		Address: rec.Address, BootID: rec.BootID, State: provider.Starting, Reclaim: rec.Reclaim}
	if rec.Phase == made {
		m.State = provider.Running
		if !rec.Init.alive() {
			m.State = provider.Dead
		}
	}
	return m
}

// group is the machine's control group; the container runs in "in" below it,
// where root may write, while the limits stand above.
func (p *Provider) group(id string) string { return "ehpc/" + p.instance + "/" + id }
