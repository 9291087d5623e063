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

// DeleteNodes marks compute nodes as no longer wanted, all or none; those that
// are going already are no obstacle, and go sooner if that is asked for. The
// reconcilers drain them first and wait for their jobs, as long as they may.
func (s *Service) DeleteNodes(ctx context.Context, q *api.DeleteNodesRequest) (*api.DeleteNodesResponse, error) {
	if !q.ReleaseInstance {
		return nil, api.InvalidParams.Errorf("cannot delete nodes of cluster %s with ReleaseInstance false: they cannot stay without it", q.ClusterId)
	}
	if q.Force && q.DrainTimeout != nil {
		return nil, api.InvalidParams.Errorf("cannot delete nodes of cluster %s with both Force and DrainTimeout: with Force their jobs are not waited for", q.ClusterId)
	}
	return change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.DeleteNodesResponse, error) {
		c, err := s.lockCluster(ctx, tx, q.ClusterId)
		if err != nil {
			return nil, err
		}
		if err := mustServe(c, "delete nodes"); err != nil {
			return nil, err
		}
		if err := s.canDrain(ctx, tx, c, q); err != nil {
			return nil, err
		}
		ids := make([]string, len(q.Instance))
		for i, inst := range q.Instance {
			ids[i] = inst.Id
		}
		nodes, err := byID.computeNodes(ctx, tx, c, "delete nodes", ids, deletable)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		task := &store.Task{ID: newTaskID(), ClusterID: c.ID, Kind: "DeleteNodes", Objects: ids, Request: requestText(q), Created: now}
		changed, err := unwant(ctx, tx, q, nodes, now)
		if err != nil {
			return nil, err
		}
		a := &api.DeleteNodesResponse{TaskId: task.ID}
		if err := tx.InsertTask(ctx, task); err != nil || len(changed) == 0 {
			return a, err
		}
		line, level := "deletion accepted, "+wait(q)+": "+strings.Join(changed, ", "), store.Info
		if q.Force {
			cut, err := cutOff(ctx, tx, c.ID, changed)
			if err != nil {
				return nil, err
			}
			if a.Message = cut.String(); a.Message != "" {
				line, level = line+"; "+a.Message, store.Warn
			}
		}
		return a, tx.Log(ctx, c.ID, "DeleteNodes", level, line, now)
	})
}

// canDrain refuses to delete nodes of a cluster in exception whose manager is away,
// unless their jobs need not be waited for: nothing could drain them.
func (s *Service) canDrain(ctx context.Context, tx store.Tx, c *store.Cluster, q *api.DeleteNodesRequest) error {
	if q.Force || c.Status == hpc.ClusterRunning {
		return nil
	}
	nodes, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return err
	}
	if _, err := s.manager(nodes, c); err != nil {
		return api.InvalidClusterStatus.Errorf("cannot delete nodes: cluster %s is %s and its manager is away, so their jobs cannot be waited for; wait for it, or give Force", c.ID, c.Status)
	}
	return nil
}

// wait says how long jobs are waited for.
func wait(q *api.DeleteNodesRequest) string {
	switch {
	case q.Force:
		return "without waiting for their jobs"
	case q.DrainTimeout != nil:
		return fmt.Sprintf("once their jobs are done, and after %s at the latest", time.Duration(*q.DrainTimeout)*time.Second)
	}
	return "once their jobs are done"
}

// unwant marks nodes, and returns the host names of those that it has changed
// something for.
func unwant(ctx context.Context, tx store.Tx, q *api.DeleteNodesRequest, nodes []*store.Node, now time.Time) (changed []string, err error) {
	for _, n := range nodes {
		news := n.Wanted
		if n.Wanted {
			err = tx.UnwantNode(ctx, n, q.Force, now)
		} else if q.Force && !n.Force {
			news, err = true, tx.ForceNode(ctx, n)
		}
		if err == nil && q.DrainTimeout != nil && !n.Force {
			news, err = true, tx.LimitDrain(ctx, n, now.Add(time.Duration(*q.DrainTimeout)*time.Second))
		}
		if err != nil {
			return nil, err
		}
		if news {
			changed = append(changed, n.Hostname)
		}
	}
	return changed, nil
}

// cutOff is what becomes of the jobs that run on nodes which do not wait for them.
func cutOff(ctx context.Context, tx store.Tx, clusterID string, hosts []string) (cut hpc.CutOff, err error) {
	open, err := tx.OpenJobs(ctx, clusterID)
	for _, row := range open {
		if row.State != hpc.JobRunning && row.State != hpc.JobSuspended ||
			!slices.ContainsFunc(row.NodeList, func(host string) bool { return slices.Contains(hosts, host) }) {
			continue
		}
		switch {
		case row.Token == "":
			cut.Others = append(cut.Others, row.PublicID)
		case row.Spec.Rerunable:
			cut.Again = append(cut.Again, row.PublicID)
		default:
			cut.Fail = append(cut.Fail, row.PublicID)
		}
	}
	return cut, err
}

// deletable refuses what is not to be deleted.
func deletable(n *store.Node) (api.Code, string) {
	if n.HasRole(hpc.RoleManager) {
		return api.InvalidOpt, goesWithCluster
	}
	return api.Code{}, ""
}
