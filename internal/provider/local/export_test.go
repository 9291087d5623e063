package local

// CrashAt makes the provider stop at a point as if it had been killed there:
// nothing is undone. Points are those given to reach.
func (p *Provider) CrashAt(crash func(point string) bool) { p.crash = crash }

// RuncRoot is where the container runtime keeps its state.
func (p *Provider) RuncRoot() string { return p.runc.root }

// Instance is the name that things on the host carry.
func (p *Provider) Instance() string { return p.instance }

// Links are the names of a cluster's and a machine's interfaces on the host.
func (p *Provider) Links(clusterID, machineID string) (bridge, hostEnd string) {
	return p.linkName("eh", clusterID), p.linkName("ev", machineID)
}

// Group is a machine's control group.
func (p *Provider) Group(machineID string) string { return p.group(machineID) }

// Controllers are the host's control groups, by controller, and all roots.
func (p *Provider) Controllers() (mounts map[string]string, roots []string, unified bool) {
	return p.cgroups.mounts, p.cgroups.roots, p.cgroups.unified
}
