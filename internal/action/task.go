package action

import (
	"context"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// ListTasks shows how far asynchronous actions are: a view of the rows they changed.
func (s *Service) ListTasks(ctx context.Context, q *api.ListTasksRequest) (*api.ListTasksResponse, error) {
	tx := s.Store.Read()
	c, err := s.cluster(ctx, tx, q.ClusterId)
	if err != nil {
		return nil, err
	}
	rows, total, err := tx.Tasks(ctx, c.ID, q.TaskId, store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	nodes, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if q.TaskId != "" && total == 0 {
		return nil, api.ObjectNotFound.Errorf("task %q does not exist in cluster %s", q.TaskId, c.ID)
	}
	a := &api.ListTasksResponse{TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize, Tasks: []api.ListTasksTasks{}}
	for _, t := range rows {
		a.Tasks = append(a.Tasks, taskInfo(c, nodes, t))
	}
	return a, nil
}

// requestText is a request as a task keeps it: its parameters as JSON, but for
// what is secret.
func requestText(request any) string {
	action, values, err := api.Flatten(request)
	if err != nil {
		return "" // never: every request is of the API's
	}
	kept := map[string]string{}
	for name := range values {
		if !action.Secret(name) {
			kept[name] = values.Get(name)
		}
	}
	return jsonText(kept)
}

func taskInfo(c *store.Cluster, nodes []*store.Node, t *store.Task) api.ListTasksTasks {
	info := api.ListTasksTasks{ClusterId: c.ID, TaskId: t.ID, TaskType: t.Kind, Status: "Processing", TotalSteps: len(t.Objects),
		Request: t.Request, Result: jsonText(map[string][]string{"InstanceIds": t.Objects})}
	if t.Kind == "CreateCluster" {
		info.Result = jsonText(map[string]string{"ClusterId": c.ID})
		clusterTask(&info, c, nodes)
		return info
	}
	rows := map[string]*store.Node{}
	for _, n := range nodes {
		rows[n.ID] = n
	}
	failed := 0
	for _, id := range t.Objects {
		n := rows[id]
		switch {
		case n == nil, t.Kind == "AddNodes" && n.Status == hpc.NodeRunning: // gone, or in service
			info.CurrentStep++
		case n.Status == hpc.NodeException:
			failed++
			info.Errors = n.Hostname + ": " + n.Reason
		}
	}
	switch {
	case failed > 0 && failed == len(t.Objects):
		info.Status = "Failed"
	case failed > 0 && failed+info.CurrentStep == len(t.Objects):
		info.Status = "PartialFail"
	case info.CurrentStep == len(t.Objects):
		info.Status = "Success"
	}
	return info
}

func clusterTask(info *api.ListTasksTasks, c *store.Cluster, nodes []*store.Node) {
	info.TotalSteps = len(nodes)
	for _, n := range nodes {
		if n.Status == hpc.NodeRunning {
			info.CurrentStep++
		}
	}
	switch c.Status {
	case hpc.ClusterRunning:
		info.Status, info.CurrentStep = "Success", info.TotalSteps // nodes that came later are no part of it
	case hpc.ClusterException:
		info.Status, info.Errors = "Failed", c.Reason
	}
}
