package agent

import (
	"context"
	"errors"
	"fmt"
	"os"

	"ehpc/internal/hpc"
	"ehpc/internal/meter"
)

// metersPath is where the node's agent notes which jobs it measures.
const metersPath = "/var/lib/ehpc/meters"

// newMeter is nil on a machine whose control groups count nothing.
func (a *Agent) newMeter() (*meter.Meter, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("cannot measure jobs: %w", err)
	}
	root := a.opts.Root
	m, err := meter.New(meter.Options{
		Groups: root + "/sys/fs/cgroup", Jobs: a.opts.JobGroups, Proc: root + "/proc", Power: root + "/sys/class/powercap",
		Notes: root + metersPath, Records: a.opts.Usage, Host: host, Boot: bootID(), Log: a.opts.Log,
	})
	if errors.Is(err, meter.ErrNoGroups) {
		a.opts.Log.Warn("jobs are not measured", "err", err)
		return nil, nil
	}
	return m, err
}

// Measure measures the jobs of this node until ctx ends.
func (a *Agent) Measure(ctx context.Context) {
	if a.meter != nil {
		a.meter.Run(ctx)
	}
}

// Measurements implements link.Node. The volume has those of all nodes.
func (a *Agent) Measurements(_ context.Context, asked ...hpc.JobOnNode) ([]hpc.Measurement, error) {
	return a.opts.Usage.Of(asked...)
}
