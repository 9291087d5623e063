package main

import (
	"testing"

	"ehpc/api"
)

func TestClusterScale(t *testing.T) {
	t.Parallel()
	plan := api.DescribeAutoScalePlanResponse{RequestId: "REQ-3", Summary: "would be done now: add nodes: 3"}
	plan.Steps.StepInfo = []scaleStep{
		{Action: "add nodes", QueueName: "workq", Count: 2, InstanceType: "ecs.c5.large", SpotStrategy: "NoSpot", Reason: "waiting jobs: 3"},
		{Action: "add nodes", QueueName: "workq", Count: 1, InstanceType: "ecs.c6.large", SpotStrategy: "SpotWithPriceLimit", SpotPriceLimit: 0.2, Reason: "waiting jobs: 3"},
		{Action: "add none", QueueName: "night", Reason: "growing is off for it"},
		{Action: "drain", QueueName: "workq", HostName: "compute000", InstanceType: "ecs.c5.large", Reason: "it was idle"},
		{Action: "tell the owner", QueueName: "workq", JobId: "7", Reason: "no node is added for it"},
	}
	off := api.DescribeAutoScalePlanResponse{Summary: "auto scaling is off"}
	s := newService(t, map[string][]any{"DescribeAutoScalePlan": {plan, plan, off}})
	s.run("", nil, "cluster", "scale", "ehpc-hz-1", "--dry-run").want(t, 0, `would be done now: add nodes: 3

WHAT                                QUEUE  ACTION          REASON
2 ecs.c5.large                      workq  add nodes       waiting jobs: 3
1 ecs.c6.large, preemptible to 0.2  workq  add nodes       waiting jobs: 3
night                               night  add none        growing is off for it
compute000                          workq  drain           it was idle
job 7                               workq  tell the owner  no node is added for it
`, "")
	s.run("", nil, "cluster", "scale", "ehpc-hz-1", "--dry-run", "-o", "json").want(t, 0, `"RequestId": "REQ-3"`, "")
	s.run("", nil, "cluster", "scale", "ehpc-hz-1", "--dry-run").want(t, 0, "auto scaling is off\n", "")
	s.run("", nil, "cluster", "scale", "ehpc-hz-1").want(t, 2, "", "scaling is automatic")
}
