package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
)

// CreateCluster makes the cluster's volume, bridge and firewall rules.
func (p *Provider) CreateCluster(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return fmt.Errorf("cannot create cluster: %w", err)
	}
	defer p.locks.lock("cluster " + id)()
	if err := p.makeCluster(ctx, id); err != nil {
		return fmt.Errorf("cannot create cluster %s: %w", id, err)
	}
	return nil
}

func (p *Provider) makeCluster(ctx context.Context, id string) error {
	if err := p.recordNetwork(id); err != nil {
		return err
	}
	if err := p.reach("cluster recorded"); err != nil {
		return err
	}
	if err := makeVolume(p.volume(id)); err != nil {
		return err
	}
	if err := p.reach("volume made"); err != nil {
		return err
	}
	net, err := p.loadNet(id)
	if err != nil {
		return err
	}
	// The rules stand before the bridge does: it is never open.
	if err := p.updateFirewall(ctx); err != nil {
		return err
	}
	if err := p.reach("firewall made"); err != nil {
		return err
	}
	return ensureBridge(net.Bridge)
}

// recordNetwork chooses the cluster's network unless it has one.
func (p *Provider) recordNetwork(id string) error {
	p.network.Lock()
	defer p.network.Unlock()
	if _, err := p.loadNet(id); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	inUse, err := hostNetworks()
	if err != nil {
		return err
	}
	nets, err := p.nets()
	if err != nil {
		return err
	}
	for _, n := range nets {
		inUse = append(inUse, n.Subnet)
	}
	subnet, err := freeSubnet(p.opts.Pool, p.instance+id, inUse)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.clusterDir(id), 0o700); err != nil {
		return err
	}
	return p.saveNet(id, clusterNet{Subnet: subnet, Bridge: p.linkName("eh", id)})
}

func (p *Provider) volume(clusterID string) string {
	return filepath.Join(p.clusterDir(clusterID), "vol")
}

// makeVolume makes what a cluster's machines share. What the control plane's
// side keeps there is root's alone.
func makeVolume(vol string) error {
	for _, d := range []struct {
		name string
		mode fs.FileMode
	}{{"", 0o755}, {"home", 0o755}, {"opt", 0o755}, {"state", 0o700}, {"claims", 0o700}} {
		if err := os.Mkdir(filepath.Join(vol, d.name), d.mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// DeleteCluster removes the cluster's machines, network and volume.
func (p *Provider) DeleteCluster(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return fmt.Errorf("cannot delete cluster: %w", err)
	}
	machines, err := p.List(ctx)
	if err != nil {
		return err
	}
	for _, m := range machines {
		if m.ClusterID != id {
			continue
		}
		if err := p.Destroy(ctx, m.ID); err != nil {
			return err
		}
	}
	defer p.locks.lock("cluster " + id)()
	if err := p.removeCluster(ctx, id); err != nil {
		return fmt.Errorf("cannot delete cluster %s: %w", id, err)
	}
	return nil
}

// removeCluster removes the directory last, so that a cluster that is half
// removed is still listed.
func (p *Provider) removeCluster(ctx context.Context, id string) error {
	if _, err := os.Stat(p.clusterDir(id)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := removeTrees(ctx, p.volume(id)); err != nil {
		return err
	}
	if err := p.reach("volume removed"); err != nil {
		return err
	}
	if err := removeLink(p.linkName("eh", id)); err != nil {
		return err
	}
	if err := p.reach("bridge removed"); err != nil {
		return err
	}
	// Without its record the cluster has no rules; its directory still names it.
	if err := os.Remove(p.netFile(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := p.updateFirewall(ctx); err != nil {
		return err
	}
	if err := p.reach("firewall removed"); err != nil {
		return err
	}
	return os.RemoveAll(p.clusterDir(id))
}

// Clusters lists the clusters that have a directory.
func (p *Provider) Clusters(ctx context.Context) ([]string, error) {
	ids, err := subdirs(filepath.Join(p.opts.Dir, "clusters"))
	if err != nil {
		return nil, fmt.Errorf("cannot list clusters: %w", err)
	}
	return ids, nil
}

func (p *Provider) netFile(clusterID string) string {
	return filepath.Join(p.clusterDir(clusterID), "net.json")
}

func (p *Provider) loadNet(clusterID string) (clusterNet, error) {
	var n clusterNet
	err := loadJSON(p.netFile(clusterID), &n)
	return n, err
}

func (p *Provider) saveNet(clusterID string, n clusterNet) error {
	return saveJSON(p.netFile(clusterID), n)
}

// nets returns the networks of all clusters that have one yet.
func (p *Provider) nets() ([]clusterNet, error) {
	ids, err := subdirs(filepath.Join(p.opts.Dir, "clusters"))
	if err != nil {
		return nil, err
	}
	var nets []clusterNet
	for _, id := range ids {
		n, err := p.loadNet(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		nets = append(nets, n)
	}
	return nets, nil
}

// lease gives the machine its address in the cluster's network.
func (p *Provider) lease(clusterID, machineID string) (netip.Addr, error) {
	defer p.locks.lock("cluster " + clusterID)()
	n, err := p.loadNet(clusterID)
	if errors.Is(err, fs.ErrNotExist) {
		return netip.Addr{}, fmt.Errorf("cluster %s has not been created", clusterID)
	}
	if err != nil {
		return netip.Addr{}, err
	}
	addr, err := n.take(machineID)
	if err != nil {
		return netip.Addr{}, err
	}
	return addr, p.saveNet(clusterID, n)
}

// release gives the machine's address back, if its cluster is still there.
func (p *Provider) release(clusterID, machineID string) error {
	if clusterID == "" {
		return nil
	}
	defer p.locks.lock("cluster " + clusterID)()
	n, err := p.loadNet(clusterID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	n.release(machineID)
	return p.saveNet(clusterID, n)
}
