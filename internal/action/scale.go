package action

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// SetAutoScaleConfig replaces how a cluster grows and shrinks: what is not
// given has its default, and queues that are not given have the cluster's.
func (s *Service) SetAutoScaleConfig(ctx context.Context, q *api.SetAutoScaleConfigRequest) (*api.SetAutoScaleConfigResponse, error) {
	now := time.Now()
	return change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.SetAutoScaleConfigResponse, error) {
		c, err := s.lockCluster(ctx, tx, q.ClusterId)
		if err != nil {
			return nil, err
		}
		if !c.Wanted {
			return nil, api.InvalidClusterStatus.Errorf("cannot %s: cluster %s is being deleted", setScale, c.ID)
		}
		if err := checkScale(c, q); err != nil {
			return nil, err
		}
		queues, err := s.scaleQueues(ctx, tx, c, q)
		if err != nil {
			return nil, err
		}
		row := &store.ScaleConfig{ClusterID: c.ID, Settings: scaleSettings(q), Changed: now}
		if err := tx.SetScale(ctx, row, queues); err != nil {
			return nil, err
		}
		if err := warnOfScale(ctx, tx, row, now); err != nil {
			return nil, err
		}
		return &api.SetAutoScaleConfigResponse{}, tx.Log(ctx, c.ID, "SetAutoScaleConfig", store.Info, scaleLine(row, queues), now)
	})
}

const setScale = "change the auto scaling settings"

func scaleSettings(q *api.SetAutoScaleConfigRequest) hpc.ScaleSettings {
	return hpc.ScaleSettings{Grow: q.EnableAutoGrow, Shrink: q.EnableAutoShrink, GrowInterval: q.GrowIntervalInMinutes,
		ShrinkInterval: q.ShrinkIntervalInMinutes, ShrinkIdleTimes: q.ShrinkIdleTimes, GrowTimeout: q.GrowTimeoutInMinutes,
		ExtraRatio: q.ExtraNodesGrowRatio, GrowRatio: q.GrowRatio, MaxNodes: q.MaxNodesInCluster,
		Exclude: q.ExcludeNodes, SpotStrategy: hpc.SpotStrategy(q.SpotStrategy), SpotPriceLimit: deref(q.SpotPriceLimit, 0)}
}

// scaleQueues are the settings of the queues that a request names, checked.
func (s *Service) scaleQueues(ctx context.Context, tx store.Tx, c *store.Cluster, q *api.SetAutoScaleConfigRequest) ([]*store.ScaleQueue, error) {
	have, err := tx.Queues(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	var rows []*store.ScaleQueue
	for i, given := range q.Queues {
		name := fmt.Sprintf("Queues.%d.", i+1)
		if !slices.ContainsFunc(have, func(row *store.Queue) bool { return row.Name == given.QueueName }) {
			return nil, api.ObjectNotFound.Errorf("cannot %s: %sQueueName: cluster %s has no queue %.80q", setScale, name, c.ID, given.QueueName)
		}
		if slices.ContainsFunc(rows, func(row *store.ScaleQueue) bool { return row.Queue == given.QueueName }) {
			return nil, badScale(name+"QueueName", "%s is given twice", given.QueueName)
		}
		settings, err := s.queueScale(c, name, q, given)
		if err != nil {
			return nil, err
		}
		rows = append(rows, &store.ScaleQueue{ClusterID: c.ID, Queue: given.QueueName, Position: i + 1, Settings: settings})
	}
	return rows, nil
}

func (s *Service) queueScale(c *store.Cluster, name string, all *api.SetAutoScaleConfigRequest, q api.SetAutoScaleConfigRequestQueues) (hpc.QueueScale, error) {
	set := hpc.QueueScale{Grow: q.EnableAutoGrow, Shrink: q.EnableAutoShrink, AutoMin: deref(q.AutoMinNodesPerCycle, false), ByInventory: deref(q.SortedByInventory, false),
		SpotStrategy: hpc.SpotStrategy(q.SpotStrategy), SpotPriceLimit: deref(q.SpotPriceLimit, 0)}
	if q.QueueImageId != "" && q.QueueImageId != c.ImageID {
		return set, badScale(name+"QueueImageId", "there is only the cluster's image %s", c.ImageID)
	}
	if err := checkSpot(name, "", q.SpotPriceLimit); err != nil {
		return set, err
	}
	for _, limit := range []struct {
		name  string
		given *int
		to    *int
	}{{"MaxNodesInQueue", q.MaxNodesInQueue, &set.MaxNodes}, {"MinNodesInQueue", q.MinNodesInQueue, &set.MinNodes},
		{"MaxNodesPerCycle", q.MaxNodesPerCycle, &set.MaxPerCycle}, {"MinNodesPerCycle", q.MinNodesPerCycle, &set.MinPerCycle}} {
		if *limit.to = deref(limit.given, 0); *limit.to < 0 {
			return set, badScale(name+limit.name, "must be at least 0, which is no limit")
		}
	}
	switch {
	case set.MaxNodes > 0 && set.MinNodes > set.MaxNodes:
		return set, badScale(name+"MinNodesInQueue", "%d is more than MaxNodesInQueue, %d", set.MinNodes, set.MaxNodes)
	case set.MaxPerCycle > 0 && set.MinPerCycle > set.MaxPerCycle:
		return set, badScale(name+"MinNodesPerCycle", "%d is more than MaxNodesPerCycle, %d", set.MinPerCycle, set.MaxPerCycle)
	}
	var err error
	if set.Types, err = s.scaleTypes(name, all, q); err == nil && needsLimit(set) && deref(all.SpotPriceLimit, 0) == 0 {
		err = noLimit(name)
	}
	return set, err
}

// warnOfScale logs what is kept though it has no effect now.
func warnOfScale(ctx context.Context, tx store.Tx, row *store.ScaleConfig, now time.Time) error {
	nodes, err := tx.Nodes(ctx, row.ClusterID)
	if err != nil {
		return err
	}
	unknown := row.Settings.Excluded()
	computes := 0
	for _, n := range nodes {
		unknown = slices.DeleteFunc(unknown, func(name string) bool { return name == n.Hostname || name == n.ID })
		if n.HasRole(hpc.RoleCompute) && n.Wanted {
			computes++
		}
	}
	var lines []string
	if len(unknown) > 0 {
		lines = append(lines, "ExcludeNodes names what the cluster does not have now: "+shortList(unknown))
	}
	if computes > row.Settings.MaxNodes {
		lines = append(lines, fmt.Sprintf("MaxNodesInCluster is %d and the cluster has %d compute nodes: it does not grow, and none is taken away for that", row.Settings.MaxNodes, computes))
	}
	for _, line := range lines {
		if err := tx.Log(ctx, row.ClusterID, "SetAutoScaleConfig", store.Warn, line, now); err != nil {
			return err
		}
	}
	return nil
}

func scaleLine(row *store.ScaleConfig, queues []*store.ScaleQueue) string {
	word := map[bool]string{true: "on", false: "off"}
	line := fmt.Sprintf("auto scaling: growing is %s, shrinking %s, at most %d compute nodes", word[row.Settings.Grow], word[row.Settings.Shrink], row.Settings.MaxNodes)
	for _, q := range queues {
		line += fmt.Sprintf("; queue %s: growing is %s, shrinking %s", q.Queue, word[q.Settings.Grow], word[q.Settings.Shrink])
	}
	return line
}

func badScale(param, format string, args ...any) error {
	return api.InvalidParams.Errorf("cannot %s: %s: %s", setScale, param, fmt.Sprintf(format, args...))
}

func checkScale(c *store.Cluster, q *api.SetAutoScaleConfigRequest) error {
	if q.ImageId != "" && q.ImageId != c.ImageID {
		return badScale("ImageId", "there is only the cluster's image %s", c.ImageID)
	}
	return checkSpot("", hpc.SpotStrategy(q.SpotStrategy), q.SpotPriceLimit)
}
