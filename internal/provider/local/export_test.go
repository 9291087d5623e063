package local

// CrashAt makes the provider stop at a point as if it had been killed there:
// nothing is undone. Points are those given to reach.
func (p *Provider) CrashAt(crash func(point string) bool) { p.crash = crash }

// RuncRoot is where the container runtime keeps its state.
func (p *Provider) RuncRoot() string { return p.runc.root }

// Instance is the name that things on the host carry.
func (p *Provider) Instance() string { return p.instance }
