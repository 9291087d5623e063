package action

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// scalePlanLimit is how long a cluster is observed for its plan.
const scalePlanLimit = 15 * time.Second

// DescribeAutoScalePlan shows what auto scaling would do with a cluster now.
func (s *Service) DescribeAutoScalePlan(ctx context.Context, q *api.DescribeAutoScalePlanRequest) (*api.DescribeAutoScalePlanResponse, error) {
	c, err := s.cluster(ctx, s.Store.Read(), q.ClusterId)
	if err != nil {
		return nil, err
	}
	if err := mustRun(c, "plan the auto scaling"); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, scalePlanLimit)
	defer cancel()
	plan, err := s.ScalePlan(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if plan.Unknown != "" {
		if err := s.mustManage(ctx, c); err != nil {
			return nil, err
		}
	}
	a := &api.DescribeAutoScalePlanResponse{ClusterId: c.ID, Summary: scaleSummary(c, plan)}
	for _, d := range plan.Steps {
		a.Steps.StepInfo = append(a.Steps.StepInfo, api.DescribeAutoScalePlanStepInfo{Action: d.Act, QueueName: d.Queue, InstanceId: d.NodeID, HostName: d.Hostname, JobId: d.JobID,
			Count: d.Count, InstanceType: d.Type, SpotStrategy: string(d.Strategy), SpotPriceLimit: d.Limit, Reason: d.Reason, Message: d.Line})
	}
	return a, nil
}

// mustManage refuses what needs the cluster's manager while it cannot be reached.
func (s *Service) mustManage(ctx context.Context, c *store.Cluster) error {
	nodes, err := s.Store.Read().Nodes(ctx, c.ID)
	if err != nil {
		return err
	}
	_, err = s.manager(nodes, c)
	return err
}

// scaleSummary is the plan in a sentence.
func scaleSummary(c *store.Cluster, plan hpc.ScalePlan) string {
	switch {
	case plan.Off:
		return fmt.Sprintf("auto scaling is off for cluster %s and all of its queues; SetAutoScaleConfig switches it on", c.ID)
	case plan.Unknown != "":
		return plan.Unknown
	}
	var acts []string
	counts := map[string]int{}
	for _, d := range plan.Steps {
		if d.Idle {
			continue
		}
		if counts[d.Act] == 0 {
			acts = append(acts, d.Act)
		}
		counts[d.Act] += max(1, scaleNodes(d))
	}
	if len(acts) == 0 {
		return "nothing would be done now"
	}
	for i, act := range acts {
		acts[i] = fmt.Sprintf("%s: %d", act, counts[act])
	}
	return "would be done now: " + strings.Join(acts, ", ")
}

// scaleNodes is how many nodes a step is about.
func scaleNodes(d hpc.ScaleDecision) int {
	if d.NodeID != "" {
		return 1
	}
	return d.Count
}
