package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/store"
)

// figuresPerPass is of how many runs at most a pass asks what they used.
const figuresPerPass = 2000

// passFigures fetches, from every running cluster, what the runs used that have
// ended.
func (ctl *Control) passFigures(ctx context.Context) error {
	_, err := ctl.eachCluster(ctx, runs, "figures", 30*time.Second, "cannot tell what jobs used", func(ctx context.Context, c *store.Cluster) error {
		return ctl.fetchFigures(ctx, c.ID)
	})
	return err
}

func (ctl *Control) fetchFigures(ctx context.Context, clusterID string) error {
	runs, err := ctl.Store.Read().RunsToMeasure(ctx, clusterID, figuresPerPass)
	if err != nil || len(runs) == 0 {
		return err
	}
	nodes, err := ctl.Store.Nodes(ctx, clusterID)
	if err != nil {
		return err
	}
	m := (&clusterView{Nodes: nodes}).manager()
	if m == nil || m.Status != hpc.NodeRunning || !ctl.Links.Present(m.ID) {
		return nil
	}
	there := map[string]bool{}
	for _, n := range nodes {
		there[n.Hostname] = true
	}
	now := time.Now()
	told, err := measurements(ctx, ctl.Links.Node(m.ID), runs)
	if err != nil {
		return fmt.Errorf("cannot fetch measurements: %w", err)
	}
	known := map[*store.RunToMeasure]store.Figures{}
	for _, r := range runs {
		if f, all := planFigures(r, told, there); all || now.Sub(r.Ended) >= ctl.Limits.Figure {
			known[r] = f
		}
	}
	if len(known) == 0 {
		return nil
	}
	return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		for r, f := range known {
			if err := tx.Measure(ctx, r, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// measurements asks for what the runs used on each of their nodes.
func measurements(ctx context.Context, node link.Node, runs []*store.RunToMeasure) (map[hpc.JobOnNode]hpc.Measurement, error) {
	var asked []hpc.JobOnNode
	seen := map[hpc.JobOnNode]bool{}
	for _, r := range runs {
		for _, share := range r.Shares {
			if q := (hpc.JobOnNode{Job: r.OwnID, Host: share.Host}); r.OwnID != "" && !seen[q] {
				seen[q] = true
				asked = append(asked, q)
			}
		}
	}
	told := map[hpc.JobOnNode]hpc.Measurement{}
	for some := range slices.Chunk(asked, hpc.MeasurementLimit) {
		list, err := node.Measurements(ctx, some...)
		if err != nil {
			return nil, err
		}
		for _, m := range list {
			told[hpc.JobOnNode{Job: m.Job, Host: m.Host}] = m
		}
	}
	return told, nil
}

// planFigures sums up what a run used, as far as its nodes have told it, and
// tells whether that is all there will be. there are the nodes that may still
// write something down.
func planFigures(r *store.RunToMeasure, told map[hpc.JobOnNode]hpc.Measurement, there map[string]bool) (f store.Figures, all bool) {
	all = r.OwnID != ""
	var sum *hpc.Used
	for _, share := range r.Shares {
		m := told[hpc.JobOnNode{Job: r.OwnID, Host: share.Host}]
		var on *hpc.Used
		over := false
		for i, u := range m.Parts {
			if !ofRun(r, u) {
				continue
			}
			over = m.Final || i < len(m.Parts)-1
			if u.CPU > 0 { // else it was seen before its first process ran, and not again
				on = joined(on, u)
			}
		}
		if there[share.Host] && !over {
			all = false
		}
		if on != nil {
			f.MeasuredOn++
			f.MaxMemory += on.Memory
			sum = joined(sum, *on)
		}
	}
	if sum != nil {
		f.CPUTime, f.Energy = sum.CPU, sum.Energy
	}
	return f, all
}

func joined(to *hpc.Used, u hpc.Used) *hpc.Used {
	if to != nil {
		u = to.Join(u)
	}
	return &u
}

// ofRun tells whether a part is of this run of its job, and not of the one before
// it or after it.
func ofRun(r *store.RunToMeasure, u hpc.Used) bool {
	return (r.First || !u.Began.Before(r.Started.Add(-sameStart))) && (r.Next.IsZero() || u.Began.Before(r.Next.Add(-sameStart)))
}
