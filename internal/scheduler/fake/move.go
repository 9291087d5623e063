package fake

import (
	"context"

	"ehpc/internal/hpc"
)

// AddNodeTo is AddNode for a node of a queue. As with real schedulers, one that
// was known stays in the queue that it was in.
func (f *Fake) AddNodeTo(queue, name string, cores int) {
	f.mu.Lock()
	fresh := f.find(name) == nil
	f.mu.Unlock()
	f.AddNode(name, cores)
	f.mu.Lock()
	defer f.mu.Unlock()
	if fresh {
		f.find(name).queue = queue
	}
}

// Move implements scheduler.Scheduler.
func (f *Fake) Move(ctx context.Context, name, queue string) error {
	return f.change(ctx, "Move", name, func(n *node) {
		n.queue = queue
		f.place()
	})
}

// serves tells whether the node is in the job's queue; one that was added without
// a queue serves all.
func (n *node) serves(spec hpc.JobSpec) bool {
	queue := spec.Queue
	if queue == "" {
		queue = hpc.DefaultQueue
	}
	return n.queue == "" || n.queue == queue
}
