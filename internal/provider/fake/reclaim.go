package fake

import (
	"context"
	"fmt"
	"time"

	"ehpc/internal/provider"
)

// Reclaim ends the machine at that time, with nobody's help.
func (p *Provider) Reclaim(ctx context.Context, id string, at time.Time) error {
	if err := p.reach(ctx, Reclaim, id, Before); err != nil {
		return err
	}
	unlock := p.lock(id)
	err := p.giveNotice(id, at)
	unlock()
	if err != nil {
		return fmt.Errorf("cannot reclaim machine %s: %w", id, err)
	}
	if !at.After(time.Now()) {
		p.Kill(id)
	}
	return p.reach(ctx, Reclaim, id, After)
}

// giveNotice needs the machine's lock.
func (p *Provider) giveNotice(id string, at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.machines[id]
	if m == nil || m.State != provider.Running {
		return fmt.Errorf("it does not run")
	}
	if !m.Reclaim.IsZero() && !at.Before(m.Reclaim) {
		return nil
	}
	m.Reclaim = at.UTC().Round(0)
	p.tell()
	boot := m.BootID
	time.AfterFunc(time.Until(at), func() { p.endBoot(id, boot) })
	return nil
}

// endBoot ends the machine unless it is another by now.
func (p *Provider) endBoot(id, boot string) {
	defer p.lock(id)()
	p.mu.Lock()
	m := p.machines[id]
	same := m != nil && m.BootID == boot
	p.mu.Unlock()
	if same {
		p.end(id)
	}
}

// tell wakes those who watch. It needs p.mu.
func (p *Provider) tell() {
	for w := range p.watchers {
		select {
		case w <- struct{}{}:
		default: // it has news to fetch already
		}
	}
}
