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
		ids := make([]string, len(q.Instance))
		for i, inst := range q.Instance {
			ids[i] = inst.Id
		}
		nodes, err := byID.computeNodes(ctx, tx, c, "resume nodes", ids, resumable)
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

// resumable refuses what the scheduler could not put back into service.
func resumable(n *store.Node) (api.Code, string) {
	if n.ReclaimPhase != hpc.NotReclaimed {
		return takenBack(n) // and stays drained
	}
	if !n.Wanted || n.Status != hpc.NodeRunning {
		return api.InvalidNodeStatus, fmt.Sprintf("is %s, it can be resumed while it is %s", n.Status, hpc.NodeRunning)
	}
	return api.Code{}, ""
}
