package main

import (
	"testing"

	"ehpc/api"
)

func TestQueueCommands(t *testing.T) {
	t.Parallel()
	queues := api.ListQueuesResponse{}
	for _, name := range []string{"workq", "night"} {
		info := queue{QueueName: name}
		info.ComputeInstanceType.InstanceType = []string{"ecs.n1.tiny"}
		queues.Queues.QueueInfo = append(queues.Queues.QueueInfo, info)
	}
	hosts := func(names ...string) any {
		a := api.ListNodesByQueueResponse{TotalCount: len(names), PageNumber: 1, PageSize: 50}
		for _, name := range names {
			a.Nodes.NodeInfo = append(a.Nodes.NodeInfo, api.ListNodesByQueueNodeInfo{HostName: name})
		}
		return a
	}
	s := newService(t, map[string][]any{
		"ListQueues":       {queues},
		"ListNodesByQueue": {hosts("compute001", "compute000"), hosts()},
		"AddQueue":         {api.AddQueueResponse{RequestId: "REQ-2"}},
		"DeleteQueue":      {refusal{api.ConflictOpt, "cannot delete the queue: QueueName: queue night of cluster c has 3 jobs that have not ended"}},
		"SetQueue":         {api.SetQueueResponse{}},
	})
	s.run("", nil, "queue", "list", "ehpc-hz-1").want(t, 0, "NAME   NODES  TYPES        HOSTS\nworkq  2      ecs.n1.tiny  compute000,compute001\nnight  0      ecs.n1.tiny  -\n", "")
	s.run("", nil, "queue", "list", "ehpc-hz-1", "-o", "id").want(t, 0, "workq\nnight\n", "")
	s.run("", nil, "queue", "add", "ehpc-hz-1", "night").want(t, 0, "queue night added to cluster ehpc-hz-1", "")
	s.run("", nil, "queue", "add", "ehpc-hz-1", "night", "-o", "json").want(t, 0, `"RequestId": "REQ-2"`, "")
	if in := s.request("AddQueue"); in.Get("QueueName") != "night" || in.Get("ClusterId") != "ehpc-hz-1" {
		t.Errorf("sent %v", in)
	}
	s.run("", nil, "queue", "delete", "ehpc-hz-1", "night").want(t, exitRefused, "", "cannot delete the queue: QUEUE: queue night of cluster c has 3 jobs")
	s.run("", nil, "queue", "set", "ehpc-hz-1", "night", "compute001", "compute002").want(t, 0, "moved to queue night of cluster ehpc-hz-1: compute001 compute002", "")
	if in := s.request("SetQueue"); in.Get("QueueName") != "night" || in.Get("Node.1.Name") != "compute001" || in.Get("Node.2.Name") != "compute002" {
		t.Errorf("sent %v", in)
	}
	s.run("", nil, "queue", "set", "ehpc-hz-1", "night").want(t, 2, "", "NODE")
}
