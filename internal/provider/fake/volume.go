package fake

import (
	"context"

	"ehpc/internal/hpc"
)

// Hold says what a cluster's volume holds; until then, nothing.
func (p *Provider) Hold(id string, size hpc.VolumeSize) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clusters[id].holds = size
}

// VolumeSize implements provider.VolumeSizer.
func (p *Provider) VolumeSize(_ context.Context, id string) (hpc.VolumeSize, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, known := p.clusters[id]
	if !known {
		return hpc.VolumeSize{Whole: true}, nil
	}
	return c.holds, nil
}
