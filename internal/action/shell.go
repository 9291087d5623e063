package action

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// maxCommandTimeout is 30 days: the document has no limit, what is kept has.
const maxCommandTimeout = 30 * 24 * 60 * 60

// InvokeShellCommand accepts a command for nodes of a cluster, all that are in
// service if none is named. The reconcilers have it run as root, once a node.
func (s *Service) InvokeShellCommand(ctx context.Context, q *api.InvokeShellCommandRequest) (*api.InvokeShellCommandResponse, error) {
	if dir := q.WorkingDir; dir != "" && !path.IsAbs(dir) {
		return nil, api.InvalidParams.Errorf("cannot run a command: WorkingDir %q is not an absolute path", dir)
	}
	if q.Timeout > maxCommandTimeout {
		return nil, api.InvalidParams.Errorf("cannot run a command: Timeout is %d seconds, the limit is %d", q.Timeout, maxCommandTimeout)
	}
	now := time.Now()
	return change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.InvokeShellCommandResponse, error) {
		c, err := s.lockCluster(ctx, tx, q.ClusterId)
		if err != nil {
			return nil, err
		}
		if err := mustServe(c, "run a command"); err != nil {
			return nil, err
		}
		targets, err := commandTargets(ctx, tx, c, q)
		if err != nil {
			return nil, err
		}
		row := &store.Command{ID: newCommandID(), ClusterID: c.ID, Content: unixLines(q.Command),
			Dir: orElse(q.WorkingDir, "/root"), Timeout: q.Timeout, Created: now}
		if err := tx.InsertCommand(ctx, row, targets); err != nil {
			return nil, err
		}
		a := &api.InvokeShellCommandResponse{CommandId: row.ID}
		a.InstanceIds.InstanceId = targets
		line := fmt.Sprintf("command %s accepted for %d nodes", row.ID, len(targets))
		return a, tx.Log(ctx, c.ID, "InvokeShellCommand", store.Info, line, now)
	})
}

func commandTargets(ctx context.Context, tx store.Tx, c *store.Cluster, q *api.InvokeShellCommandRequest) ([]string, error) {
	nodes, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	var targets []string
	if len(q.Instance) == 0 {
		for _, n := range nodes {
			if n.Status == hpc.NodeRunning {
				targets = append(targets, n.ID)
			}
		}
		if len(targets) == 0 {
			return nil, api.InvalidNodeStatus.Errorf("cannot run a command: no node of cluster %s is in service now", c.ID)
		}
		return targets, nil
	}
	refused := refusals{attempt: "run a command"}
	for n, inst := range q.Instance {
		i := slices.IndexFunc(nodes, func(n *store.Node) bool { return n.ID == inst.Id })
		if i < 0 {
			refused.add(api.ComputeNotFound, "Instance.%d.Id: cluster %s has no node %.80q", n+1, c.ID, inst.Id)
			continue
		}
		if nodes[i].Status != hpc.NodeRunning {
			refused.add(api.InvalidNodeStatus, "Instance.%d.Id: node %s is %s, not running", n+1, inst.Id, nodes[i].Status)
			continue
		}
		if !slices.Contains(targets, inst.Id) {
			targets = append(targets, inst.Id)
		}
	}
	return targets, refused.err(len(q.Instance))
}

// ListCommands shows a page of the commands of a cluster, newest first.
func (s *Service) ListCommands(ctx context.Context, q *api.ListCommandsRequest) (*api.ListCommandsResponse, error) {
	tx := s.Store.Read()
	if _, err := s.cluster(ctx, tx, q.ClusterId); err != nil {
		return nil, err
	}
	var nodes []string
	for _, inst := range q.Instance {
		nodes = append(nodes, inst.Id)
	}
	rows, total, err := tx.Commands(ctx, q.ClusterId, q.CommandId, nodes, store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	a := &api.ListCommandsResponse{TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize}
	for _, c := range rows {
		a.Commands.Command = append(a.Commands.Command, api.ListCommandsCommand{CommandId: c.ID,
			CommandContent: c.Content, WorkingDir: c.Dir, Timeout: c.Timeout})
	}
	return a, nil
}

// ListInvocationStatus shows how a command stands, as a whole and on each node.
func (s *Service) ListInvocationStatus(ctx context.Context, q *api.ListInvocationStatusRequest) (*api.ListInvocationStatusResponse, error) {
	tx := s.Store.Read()
	if err := s.mustHaveCommand(ctx, tx, q.ClusterId, q.CommandId); err != nil {
		return nil, err
	}
	rows, _, err := tx.CommandResults(ctx, q.CommandId, nil, "", store.Page{})
	if err != nil {
		return nil, err
	}
	a := &api.ListInvocationStatusResponse{CommandId: q.CommandId, InvokeStatus: string(overall(rows))}
	for _, r := range rows {
		a.InvokeInstances.InvokeInstance = append(a.InvokeInstances.InvokeInstance,
			api.ListInvocationStatusInvokeInstance{InstanceId: r.NodeID, InstanceInvokeStatus: string(r.Status)})
	}
	return a, nil
}

// overall is a command's status over all its nodes: running while one is, else
// the worst.
func overall(rows []*store.CommandResult) hpc.CommandStatus {
	for _, want := range []hpc.CommandStatus{hpc.CommandRunning, hpc.CommandFailed, hpc.CommandStopped} {
		if slices.ContainsFunc(rows, func(r *store.CommandResult) bool { return r.Status == want }) {
			return want
		}
	}
	return hpc.CommandFinished
}

// ListInvocationResults shows what a command printed on each node.
func (s *Service) ListInvocationResults(ctx context.Context, q *api.ListInvocationResultsRequest) (*api.ListInvocationResultsResponse, error) {
	tx := s.Store.Read()
	if err := s.mustHaveCommand(ctx, tx, q.ClusterId, q.CommandId); err != nil {
		return nil, err
	}
	var nodes []string
	for _, inst := range q.Instance {
		nodes = append(nodes, inst.Id)
	}
	rows, total, err := tx.CommandResults(ctx, q.CommandId, nodes, hpc.CommandStatus(q.InvokeRecordStatus), store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	a := &api.ListInvocationResultsResponse{TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize}
	for _, r := range rows {
		finished := ""
		if !r.Finished.IsZero() {
			finished = r.Finished.UTC().Format("2006-01-02T15:04:05Z")
		}
		a.InvocationResults.InvocationResult = append(a.InvocationResults.InvocationResult,
			api.ListInvocationResultsInvocationResult{CommandId: r.CommandID, InstanceId: r.NodeID,
				InvokeRecordStatus: string(r.Status), Success: r.Status == hpc.CommandFinished, // whatever the exit code
				FinishedTime: finished, ExitCode: r.ExitCode, Message: r.Output})
	}
	return a, nil
}

func (s *Service) mustHaveCommand(ctx context.Context, tx store.Tx, clusterID, id string) error {
	c, err := s.cluster(ctx, tx, clusterID)
	if err != nil {
		return err
	}
	if _, err := tx.Command(ctx, c.ID, id); errors.Is(err, store.ErrNotFound) {
		return api.ObjectNotFound.Errorf("command %q does not exist in cluster %s", id, c.ID)
	} else if err != nil {
		return err
	}
	return nil
}
