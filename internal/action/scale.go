package action

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
		if err := refuseUnbuiltScale(c, q); err != nil {
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
		Exclude: q.ExcludeNodes, SpotPriceLimit: deref(q.SpotPriceLimit, 0)}
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
		settings, err := s.queueScale(c, name, given)
		if err != nil {
			return nil, err
		}
		rows = append(rows, &store.ScaleQueue{ClusterID: c.ID, Queue: given.QueueName, Position: i + 1, Settings: settings})
	}
	return rows, nil
}

func (s *Service) queueScale(c *store.Cluster, name string, q api.SetAutoScaleConfigRequestQueues) (hpc.QueueScale, error) {
	set := hpc.QueueScale{Grow: q.EnableAutoGrow, Shrink: q.EnableAutoShrink, AutoMin: deref(q.AutoMinNodesPerCycle, false),
		SpotPriceLimit: deref(q.SpotPriceLimit, 0)}
	if err := refuseUnbuiltQueueScale(c, name, q); err != nil {
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
	set.InstanceType, err = s.scaleType(name, q)
	return set, err
}

// scaleType is the one instance type that a queue's parameters name, in any of
// their three forms; "" for none.
func (s *Service) scaleType(name string, q api.SetAutoScaleConfigRequestQueues) (string, error) {
	var types []string
	add := func(given string) {
		if given = strings.TrimSpace(given); given != "" && !slices.Contains(types, given) {
			types = append(types, given)
		}
	}
	for _, info := range q.InstanceTypes {
		add(info.InstanceType)
	}
	for given := range strings.SplitSeq(q.InstanceTypesText, ",") {
		add(given)
	}
	add(q.InstanceType)
	for _, t := range types {
		if _, known := s.Config.InstanceType(t); !known {
			return "", badScale(name+"InstanceTypes", "%.80q is no instance type; ListAvailableEcsTypes has those there are", t)
		}
	}
	if len(types) > 1 {
		return "", badScale(name+"InstanceTypes", "a queue grows by one instance type, not by %s", strings.Join(types, " and "))
	}
	if len(types) == 0 {
		return "", nil
	}
	return types[0], nil
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

const noSpot = "NoSpot"

// refuseUnbuiltScale refuses what would silently not happen.
func refuseUnbuiltScale(c *store.Cluster, q *api.SetAutoScaleConfigRequest) error {
	if q.SpotStrategy != "" && q.SpotStrategy != noSpot {
		return badScale("SpotStrategy", "preemptible instances are not built; only %s is", noSpot)
	}
	if q.ImageId != "" && q.ImageId != c.ImageID {
		return badScale("ImageId", "there is only the cluster's image %s", c.ImageID)
	}
	return checkPrice("SpotPriceLimit", q.SpotPriceLimit)
}

func refuseUnbuiltQueueScale(c *store.Cluster, name string, q api.SetAutoScaleConfigRequestQueues) error {
	if q.SpotStrategy != "" && q.SpotStrategy != noSpot {
		return badScale(name+"SpotStrategy", "preemptible instances are not built; only %s is", noSpot)
	}
	if q.QueueImageId != "" && q.QueueImageId != c.ImageID {
		return badScale(name+"QueueImageId", "there is only the cluster's image %s", c.ImageID)
	}
	for i, t := range q.InstanceTypes {
		if t.SpotStrategy != "" && t.SpotStrategy != noSpot {
			return badScale(fmt.Sprintf("%sInstanceTypes.%d.SpotStrategy", name, i+1), "preemptible instances are not built; only %s is", noSpot)
		}
	}
	return checkPrice(name+"SpotPriceLimit", q.SpotPriceLimit)
}

func checkPrice(name string, price *float64) error {
	if deref(price, 0) < 0 {
		return badScale(name, "must be at least 0")
	}
	return nil
}

// GetAutoScaleConfig shows how a cluster grows and shrinks.
func (s *Service) GetAutoScaleConfig(ctx context.Context, q *api.GetAutoScaleConfigRequest) (*api.GetAutoScaleConfigResponse, error) {
	c, err := s.cluster(ctx, s.Store.Read(), q.ClusterId)
	if err != nil {
		return nil, err
	}
	row, queues, err := s.Store.Read().Scale(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	set := row.Settings
	a := &api.GetAutoScaleConfigResponse{ClusterId: c.ID, ClusterType: clusterType(c), Uid: c.Owner,
		EnableAutoGrow: set.Grow, EnableAutoShrink: set.Shrink, GrowIntervalInMinutes: set.GrowInterval,
		ShrinkIntervalInMinutes: set.ShrinkInterval, ShrinkIdleTimes: set.ShrinkIdleTimes, GrowTimeoutInMinutes: set.GrowTimeout,
		ExtraNodesGrowRatio: set.ExtraRatio, MaxNodesInCluster: set.MaxNodes, GrowRatio: set.GrowRatio,
		ExcludeNodes: set.Exclude, SpotStrategy: noSpot, SpotPriceLimit: set.SpotPriceLimit}
	for _, row := range queues {
		a.Queues.QueueInfo = append(a.Queues.QueueInfo, queueScaleInfo(row))
	}
	return a, nil
}

func queueScaleInfo(row *store.ScaleQueue) api.GetAutoScaleConfigQueueInfo {
	set := row.Settings
	info := api.GetAutoScaleConfigQueueInfo{QueueName: row.Queue, InstanceType: set.InstanceType, EnableAutoGrow: set.Grow,
		EnableAutoShrink: set.Shrink, SpotStrategy: noSpot, SpotPriceLimit: set.SpotPriceLimit, AutoMinNodesPerCycle: set.AutoMin,
		MaxNodesInQueue: set.MaxNodes, MinNodesInQueue: set.MinNodes, MaxNodesPerCycle: set.MaxPerCycle, MinNodesPerCycle: set.MinPerCycle}
	if set.InstanceType != "" {
		info.InstanceTypes.InstanceTypeInfo = []api.GetAutoScaleConfigInstanceTypeInfo{{InstanceType: set.InstanceType}}
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
