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

// AddNodes accepts compute nodes; the reconcilers make them.
func (s *Service) AddNodes(ctx context.Context, q *api.AddNodesRequest) (*api.AddNodesResponse, error) {
	if answer, err := replay[api.AddNodesResponse](ctx, s.Store.Read(), CallOf(ctx)); err != nil || answer != nil {
		return answer, err
	}
	c, err := s.cluster(ctx, s.Store.Read(), q.ClusterId)
	if err != nil {
		return nil, err
	}
	if err := mustRun(c, "add nodes"); err != nil {
		return nil, err
	}
	t, err := s.addedType(ctx, c, q)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	preemptible, err := s.spotOf("add nodes", q.ComputeSpotStrategy, q.ComputeSpotPriceLimit, t.Name, now)
	if err != nil {
		return nil, err
	}
	if err := s.fits(ctx, slices.Repeat([]hpc.InstanceType{t}, q.Count)); err != nil {
		return nil, err
	}
	return change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.AddNodesResponse, error) {
		c, err := s.lockCluster(ctx, tx, q.ClusterId)
		if err != nil {
			return nil, err
		}
		if err := mustRun(c, "add nodes"); err != nil {
			return nil, err
		}
		nodes, err := s.moreNodes(ctx, tx, c, q, t, preemptible, now)
		if err != nil {
			return nil, err
		}
		a := &api.AddNodesResponse{TaskId: newTaskID()}
		for _, n := range nodes {
			a.InstanceIds.InstanceId = append(a.InstanceIds.InstanceId, n.ID)
		}
		task := &store.Task{ID: a.TaskId, ClusterID: c.ID, Kind: "AddNodes", Objects: a.InstanceIds.InstanceId, Request: requestText(q), Created: now}
		if err := tx.InsertTask(ctx, task); err != nil {
			return nil, err
		}
		line := fmt.Sprintf("%d nodes of type %s accepted: %s to %s", len(nodes), t.Name, nodes[0].Hostname, nodes[len(nodes)-1].Hostname)
		return a, tx.Log(ctx, c.ID, "AddNodes", store.Info, line, now)
	})
}

// addedType is the instance type of the nodes to add: the one named, or the one used last.
func (s *Service) addedType(ctx context.Context, c *store.Cluster, q *api.AddNodesRequest) (hpc.InstanceType, error) {
	name := q.InstanceType
	if name == "" {
		nodes, err := s.Store.Read().Nodes(ctx, c.ID)
		if err != nil {
			return hpc.InstanceType{}, err
		}
		name = orElse(c.Asked.EcsOrder.Compute.InstanceType, s.Config.ComputeType)
		for _, n := range nodes {
			if n.HasRole(hpc.RoleCompute) && !n.HasRole(hpc.RoleManager) {
				name = n.InstanceType.Name
			}
		}
	}
	t, known := s.Config.InstanceType(name)
	if !known {
		return t, api.InvalidParams.Errorf("cannot add nodes: InstanceType %q is no instance type; ListAvailableEcsTypes has those there are", name)
	}
	if q.ImageOwnerAlias != "" && q.ImageOwnerAlias != "system" || q.ImageId != "" && q.ImageId != c.ImageID {
		return t, api.ImageNotFound.Errorf("cannot add nodes: there is only the cluster's image %s", c.ImageID)
	}
	return t, nil
}

func (s *Service) moreNodes(ctx context.Context, tx store.Tx, c *store.Cluster, q *api.AddNodesRequest, t hpc.InstanceType, preemptible spot, now time.Time) ([]*store.Node, error) {
	have, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if len(have)+q.Count > s.Config.MaxNodes {
		return nil, api.TooManyNodes.Errorf("cannot add %d nodes to cluster %s: it has %d, the limit is %d", q.Count, c.ID, len(have), s.Config.MaxNodes)
	}
	queue := orElse(q.JobQueue, hpc.DefaultQueue)
	queues, err := tx.Queues(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(queues, func(row *store.Queue) bool { return row.Name == queue }) {
		return nil, api.InvalidParams.Errorf("cannot add nodes: JobQueue %q does not exist in cluster %s", queue, c.ID)
	}
	nodes := store.NewComputes(c, have, q.Count, t, queue, orElse(q.CreateMode, "manual"), now)
	preemptible.mark(nodes)
	return nodes, tx.InsertNodes(ctx, nodes)
}
