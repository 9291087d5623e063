package main

import (
	"testing"

	"ehpc/api"
)

func TestNodesAreDeletedWithALimitOrByForce(t *testing.T) {
	t.Parallel()
	var nodes api.ListNodesResponse
	nodes.TotalCount = 1
	nodes.Nodes.NodeInfo = []api.ListNodesNodeInfo{{Id: "i-1", HostName: "compute001"}}
	s := newService(t, map[string][]any{
		"ListNodes":   {nodes},
		"DeleteNodes": {api.DeleteNodesResponse{}, api.DeleteNodesResponse{}, api.DeleteNodesResponse{Message: "requeued jobs 5; jobs that may not run again fail: 7"}},
	})
	sent := func(limit, force string) {
		t.Helper()
		if in := s.request("DeleteNodes"); in.Get("DrainTimeout") != limit || in.Get("Force") != force || in.Get("Instance.1.Id") != "i-1" {
			t.Errorf("sent %v", in)
		}
	}
	s.run("", nil, "node", "delete", "ehpc-hz-1", "compute001").want(t, 0, "being drained and deleted from cluster ehpc-hz-1: compute001\n", "")
	sent("", "")
	s.run("", nil, "node", "delete", "ehpc-hz-1", "compute001", "--drain-timeout", "1h").want(t, 0, "being drained for 1h0m0s at most and deleted from cluster ehpc-hz-1: compute001\n", "")
	sent("3600", "")
	s.run("", nil, "node", "delete", "ehpc-hz-1", "compute001", "--force").want(t, 0, "being deleted from cluster ehpc-hz-1: compute001; requeued jobs 5; jobs that may not run again fail: 7\n", "")
	sent("", "true")
	for _, flags := range [][]string{{"--force", "--drain-timeout", "1h"}, {"--drain-timeout", "1500ms"}, {"--drain-timeout", "-1s"}} {
		if got := s.run("", nil, append([]string{"node", "delete", "ehpc-hz-1", "compute001"}, flags...)...); got.status == 0 {
			t.Errorf("%v was taken", flags)
		}
	}
}
