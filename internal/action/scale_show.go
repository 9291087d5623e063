package action

import (
	"cmp"
	"context"
	"strconv"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// GetAutoScaleConfig shows how a cluster grows and shrinks.
func (s *Service) GetAutoScaleConfig(ctx context.Context, q *api.GetAutoScaleConfigRequest) (*api.GetAutoScaleConfigResponse, error) {
	c, row, queues, err := s.scaleOf(ctx, q.ClusterId)
	if err != nil {
		return nil, err
	}
	set := row.Settings
	a := &api.GetAutoScaleConfigResponse{ClusterId: c.ID, ClusterType: clusterType(c), Uid: c.Owner,
		EnableAutoGrow: set.Grow, EnableAutoShrink: set.Shrink, GrowIntervalInMinutes: set.GrowInterval,
		ShrinkIntervalInMinutes: set.ShrinkInterval, ShrinkIdleTimes: set.ShrinkIdleTimes, GrowTimeoutInMinutes: set.GrowTimeout,
		ExtraNodesGrowRatio: set.ExtraRatio, MaxNodesInCluster: set.MaxNodes, GrowRatio: set.GrowRatio,
		ExcludeNodes: set.Exclude, SpotStrategy: string(cmp.Or(set.SpotStrategy, hpc.NoSpot)), SpotPriceLimit: set.SpotPriceLimit}
	for _, row := range queues {
		a.Queues.QueueInfo = append(a.Queues.QueueInfo, queueScaleInfo(set, row))
	}
	return a, nil
}

// DescribeAutoScaleConfig shows it without the queues.
func (s *Service) DescribeAutoScaleConfig(ctx context.Context, q *api.DescribeAutoScaleConfigRequest) (*api.DescribeAutoScaleConfigResponse, error) {
	c, row, _, err := s.scaleOf(ctx, q.ClusterId)
	if err != nil {
		return nil, err
	}
	set := row.Settings
	return &api.DescribeAutoScaleConfigResponse{ClusterId: c.ID, ClusterType: clusterType(c), Uid: c.Owner,
		EnableAutoGrow: set.Grow, EnableAutoShrink: set.Shrink, GrowIntervalInMinutes: set.GrowInterval,
		ShrinkIntervalInMinutes: set.ShrinkInterval, ShrinkIdleTimes: set.ShrinkIdleTimes, GrowTimeoutInMinutes: set.GrowTimeout,
		ExtraNodesGrowRatio: set.ExtraRatio, MaxNodesInCluster: set.MaxNodes, GrowRatio: set.GrowRatio,
		ExcludeNodes: set.Exclude, SpotStrategy: string(cmp.Or(set.SpotStrategy, hpc.NoSpot)),
		SpotPriceLimit: strconv.FormatFloat(set.SpotPriceLimit, 'f', -1, 64)}, nil
}

func (s *Service) scaleOf(ctx context.Context, clusterID string) (*store.Cluster, *store.ScaleConfig, []*store.ScaleQueue, error) {
	c, err := s.cluster(ctx, s.Store.Read(), clusterID)
	if err != nil {
		return nil, nil, nil, err
	}
	row, queues, err := s.Store.Read().Scale(ctx, c.ID)
	return c, row, queues, err
}

// queueScaleInfo is what holds for a queue: its own, or what it has from the
// cluster.
func queueScaleInfo(all hpc.ScaleSettings, row *store.ScaleQueue) api.GetAutoScaleConfigQueueInfo {
	set := row.Settings
	strategy, limit := all.Spot(set, hpc.ScaleType{})
	info := api.GetAutoScaleConfigQueueInfo{QueueName: row.Queue, EnableAutoGrow: set.Grow,
		EnableAutoShrink: set.Shrink, SpotStrategy: string(strategy), SpotPriceLimit: limit, AutoMinNodesPerCycle: set.AutoMin, SortedByInventory: set.ByInventory,
		MaxNodesInQueue: set.MaxNodes, MinNodesInQueue: set.MinNodes, MaxNodesPerCycle: set.MaxPerCycle, MinNodesPerCycle: set.MinPerCycle}
	for _, t := range set.Types {
		strategy, limit := all.Spot(set, t)
		info.InstanceTypes.InstanceTypeInfo = append(info.InstanceTypes.InstanceTypeInfo, api.GetAutoScaleConfigInstanceTypeInfo{InstanceType: t.Name,
			SpotStrategy: string(strategy), SpotPriceLimit: limit, SpotDuration: t.SpotDuration, SpotInterruptionBehavior: t.SpotInterruption})
		info.InstanceType = cmp.Or(info.InstanceType, t.Name)
	}
	return info
}

// clusterType is the family of a cluster's scheduler, in this answer's own words.
func clusterType(c *store.Cluster) string {
	if c.Scheduler == "pbs" {
		return "pbspro"
	}
	return c.Scheduler
}
