package action

import (
	"context"
	"slices"
	"strings"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// ResumeNodes accepts that nodes are put back into service; the reconcilers do it.
func (s *Service) ResumeNodes(ctx context.Context, q *api.ResumeNodesRequest) (*api.ResumeNodesResponse, error) {
	return change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.ResumeNodesResponse, error) {
		c, err := s.lockCluster(ctx, tx, q.ClusterId)
		if err != nil {
			return nil, err
		}
		if err := mustRun(c, "resume nodes"); err != nil {
			return nil, err
		}
		nodes, err := resumable(ctx, tx, c, q)
		if err != nil {
			return nil, err
		}
		var names []string
		queues := map[string]bool{}
		for _, n := range nodes {
			if err := tx.AskResume(ctx, n); err != nil {
				return nil, err
			}
			queues[n.Queue] = true
			names = append(names, n.Hostname)
		}
		again, err := replaceAgain(ctx, tx, c, queues)
		if err != nil {
			return nil, err
		}
		line := "to be put back into service: " + strings.Join(names, ", ")
		if len(again) > 0 {
			line += "; sick nodes are replaced again in queue " + strings.Join(again, ", ")
		}
		return &api.ResumeNodesResponse{}, tx.Log(ctx, c.ID, "ResumeNodes", store.Info, line, time.Now())
	})
}

// replaceAgain begins to count the replacements of queues anew, and returns those
// that had come to a halt.
func replaceAgain(ctx context.Context, tx store.Tx, c *store.Cluster, queues map[string]bool) (again []string, err error) {
	rows, err := tx.Queues(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if !queues[row.Name] || len(row.Replaced) == 0 {
			continue
		}
		if !row.Halted.IsZero() {
			again = append(again, row.Name)
		}
		row.Replaced, row.Halted = nil, time.Time{}
		if err := tx.NoteReplaced(ctx, row); err != nil {
			return nil, err
		}
	}
	return again, nil
}

// resumable returns the nodes that a request names, or why one of them cannot be
// put back into service.
func resumable(ctx context.Context, tx store.Tx, c *store.Cluster, q *api.ResumeNodesRequest) ([]*store.Node, error) {
	if len(q.Instance) > maxNodesPerCall {
		return nil, api.InvalidParams.Errorf("cannot resume nodes: Instance has %d entries, not 1 to %d", len(q.Instance), maxNodesPerCall)
	}
	have, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	var nodes []*store.Node
	for i, inst := range q.Instance {
		at := slices.IndexFunc(have, func(n *store.Node) bool { return n.ID == inst.Id })
		if at < 0 {
			return nil, api.ComputeNotFound.Errorf("cannot resume nodes: Instance.%d.Id: cluster %s has no node %.80q", i+1, c.ID, inst.Id)
		}
		n := have[at]
		switch {
		case !n.HasRole(hpc.RoleCompute):
			return nil, api.InvalidOpt.Errorf("cannot resume nodes: Instance.%d.Id: %s is no compute node", i+1, n.Hostname)
		case !n.Wanted || n.Status != hpc.NodeRunning:
			return nil, api.InvalidNodeStatus.Errorf("cannot resume nodes: Instance.%d.Id: %s is %s, it can be resumed while it is %s", i+1, n.Hostname, n.Status, hpc.NodeRunning)
		case slices.Contains(nodes, n):
			return nil, api.InvalidParams.Errorf("cannot resume nodes: Instance.%d.Id: %s is given twice", i+1, n.Hostname)
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}
