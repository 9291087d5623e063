package fake

import (
	"context"
	"fmt"
	"slices"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// Nodes implements scheduler.Driver.
func (f *Fake) Nodes(ctx context.Context) ([]scheduler.Node, error) {
	var nodes []scheduler.Node
	err := f.call(ctx, "Nodes", func() error {
		for _, n := range f.nodes {
			state := n.state()
			nodes = append(nodes, scheduler.Node{
				Name: n.name, State: state, Raw: string(state), Reason: n.reason, Queue: n.queue,
				Cores: n.cores, CoresUsed: n.used,
			})
		}
		return nil
	})
	return nodes, err
}

func (n *node) state() scheduler.NodeState {
	switch {
	case n.down:
		return scheduler.NodeDown
	case n.drain && n.used > 0:
		return scheduler.NodeDraining
	case n.drain:
		return scheduler.NodeDrained
	case n.used > 0:
		return scheduler.NodeBusy
	}
	return scheduler.NodeIdle
}

// Drain implements scheduler.Driver.
func (f *Fake) Drain(ctx context.Context, name, reason string) error {
	return f.change(ctx, "Drain", name, func(n *node) { n.drain, n.reason = true, reason })
}

// Resume implements scheduler.Driver.
func (f *Fake) Resume(ctx context.Context, name string) error {
	return f.change(ctx, "Resume", name, func(n *node) {
		n.drain, n.down, n.reason = false, false, ""
		f.place()
	})
}

// Down implements scheduler.Driver.
func (f *Fake) Down(ctx context.Context, name, reason string) error {
	return f.change(ctx, "Down", name, func(n *node) {
		n.down, n.reason = true, reason
		for _, j := range slices.Clone(f.jobs) {
			if !slices.Contains(j.nodes, n) {
				continue
			}
			if j.spec.Rerunable {
				f.requeue(j)
			} else {
				f.end(j, hpc.JobNodeFail, 1)
			}
		}
		f.place()
	})
}

// Requeue implements scheduler.Driver.
func (f *Fake) Requeue(ctx context.Context, name, _ string) (ids []string, err error) {
	err = f.change(ctx, "Requeue", name, func(n *node) {
		for _, j := range slices.Clone(f.jobs) {
			if j.spec.Rerunable && slices.Contains(j.nodes, n) {
				ids = append(ids, j.view.ID)
				f.requeue(j)
			}
		}
		f.place()
	})
	return ids, err
}

// Remove implements scheduler.Driver.
func (f *Fake) Remove(ctx context.Context, name string) error {
	return f.call(ctx, "Remove", func() error {
		n := f.find(name)
		if n == nil {
			return nil
		}
		if n.used > 0 {
			return fmt.Errorf("cannot remove node %s: %w", name, scheduler.ErrBusy)
		}
		f.nodes = slices.DeleteFunc(f.nodes, func(o *node) bool { return o == n })
		return nil
	})
}

func (f *Fake) change(ctx context.Context, method, name string, fn func(*node)) error {
	return f.call(ctx, method, func() error {
		n := f.find(name)
		if n == nil {
			return fmt.Errorf("node %s: %w", name, scheduler.ErrNotFound)
		}
		fn(n)
		return nil
	})
}

func (f *Fake) find(name string) *node {
	for _, n := range f.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}
