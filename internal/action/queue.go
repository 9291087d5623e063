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

const maxQueues = 64 // of a cluster: each is a line of the scheduler's configuration

// AddQueue adds a queue without nodes.
func (s *Service) AddQueue(ctx context.Context, q *api.AddQueueRequest) (*api.AddQueueResponse, error) {
	const attempt = "add the queue"
	if err := hpc.CheckQueueName(q.QueueName); err != nil {
		return nil, api.InvalidParams.Errorf("cannot %s: QueueName: %v", attempt, err)
	}
	return changeQueues(ctx, s, q.ClusterId, attempt, func(ctx context.Context, tx store.Tx, c *store.Cluster, queues []*store.Queue, now time.Time) (*api.AddQueueResponse, string, error) {
		same := func(row *store.Queue) bool { return strings.EqualFold(row.Name, q.QueueName) } // some schedulers know no case
		if i := slices.IndexFunc(queues, same); i >= 0 {
			return nil, "", api.InvalidParams.Errorf("cannot %s: QueueName: cluster %s has the queue %s", attempt, c.ID, queues[i].Name)
		}
		if len(queues) >= maxQueues {
			return nil, "", api.InvalidParams.Errorf("cannot %s: QueueName: cluster %s has %d queues, the limit is %d", attempt, c.ID, len(queues), maxQueues)
		}
		row := &store.Queue{ClusterID: c.ID, Name: q.QueueName, Created: now}
		return &api.AddQueueResponse{}, "queue " + q.QueueName + " added", tx.InsertQueue(ctx, row)
	})
}

// DeleteQueue deletes a queue that has neither nodes nor jobs.
func (s *Service) DeleteQueue(ctx context.Context, q *api.DeleteQueueRequest) (*api.DeleteQueueResponse, error) {
	const attempt = "delete the queue"
	if answer, err := replay[api.DeleteQueueResponse](ctx, s.Store.Read(), CallOf(ctx)); err != nil || answer != nil {
		return answer, err
	}
	inScheduler, err := s.queuedJobs(ctx, q.ClusterId, q.QueueName, attempt)
	if err != nil {
		return nil, err
	}
	return changeQueues(ctx, s, q.ClusterId, attempt, func(ctx context.Context, tx store.Tx, c *store.Cluster, queues []*store.Queue, _ time.Time) (*api.DeleteQueueResponse, string, error) {
		row, err := queueNamed(queues, c, q.QueueName, attempt)
		if err != nil {
			return nil, "", err
		}
		if row.IsDefault {
			return nil, "", api.InvalidOpt.Errorf("cannot %s: QueueName: %s is where jobs of cluster %s go that name no queue", attempt, row.Name, c.ID)
		}
		if err := emptyQueue(ctx, tx, row, inScheduler, attempt); err != nil {
			return nil, "", err
		}
		return &api.DeleteQueueResponse{}, "queue " + row.Name + " deleted", tx.DeleteQueue(ctx, c.ID, row.Name)
	})
}

// queuedJobs is how many jobs the scheduler itself has in a queue: those that
// people submit on nodes have rows only once they were seen.
func (s *Service) queuedJobs(ctx context.Context, clusterID, queue, attempt string) (int, error) {
	c, err := s.cluster(ctx, s.Store.Read(), clusterID)
	if err != nil {
		return 0, err
	}
	if err := mustRun(c, attempt); err != nil {
		return 0, err
	}
	nodes, err := s.Store.Read().Nodes(ctx, c.ID)
	if err != nil {
		return 0, err
	}
	manager, err := s.manager(nodes, c)
	if err != nil {
		return 0, err
	}
	seen, err := s.Links.Scheduler(manager.ID).Observe(ctx, c.Cursor)
	if err != nil {
		return 0, s.unreachable(err, attempt+" "+queue)
	}
	n := 0
	for _, j := range seen.Queue {
		if slices.Contains(strings.Split(j.Queue, ","), queue) { // a job may wait for several
			n++
		}
	}
	return n, nil
}

// emptyQueue refuses a queue that still has something.
func emptyQueue(ctx context.Context, tx store.Tx, row *store.Queue, inScheduler int, attempt string) error {
	nodes, err := tx.Nodes(ctx, row.ClusterID)
	if err != nil {
		return err
	}
	var names []string
	for _, n := range nodes {
		if n.Queue == row.Name {
			names = append(names, n.Hostname)
		}
	}
	jobs, err := tx.OpenJobsOfQueue(ctx, row.ClusterID, row.Name)
	if err != nil {
		return err
	}
	var has []string
	if len(names) > 0 {
		has = append(has, "the nodes "+shortList(names)+" (SetQueue moves them)")
	}
	if jobs = max(jobs, inScheduler); jobs > 0 {
		has = append(has, fmt.Sprintf("%d jobs that have not ended", jobs))
	}
	if len(has) > 0 {
		return api.ConflictOpt.Errorf("cannot %s: QueueName: queue %s of cluster %s has %s", attempt, row.Name, row.ClusterID, strings.Join(has, " and "))
	}
	return nil
}

// SetQueue moves compute nodes to a queue. The jobs that run on them go on.
func (s *Service) SetQueue(ctx context.Context, q *api.SetQueueRequest) (*api.SetQueueResponse, error) {
	const attempt = "move nodes to the queue"
	hostnames := make([]string, len(q.Node))
	for i, named := range q.Node {
		hostnames[i] = named.Name
	}
	return changeQueues(ctx, s, q.ClusterId, attempt, func(ctx context.Context, tx store.Tx, c *store.Cluster, queues []*store.Queue, now time.Time) (*api.SetQueueResponse, string, error) {
		row, err := queueNamed(queues, c, q.QueueName, attempt)
		if err != nil {
			return nil, "", err
		}
		nodes, err := byHostname.computeNodes(ctx, tx, c, attempt, hostnames, movable)
		if err != nil {
			return nil, "", err
		}
		var names []string
		for _, n := range nodes {
			if err := tx.MoveNode(ctx, n, row.Name, now); err != nil {
				return nil, "", err
			}
			names = append(names, n.Hostname)
		}
		return &api.SetQueueResponse{}, "moved to queue " + row.Name + ": " + strings.Join(names, ", "), nil
	})
}

// movable refuses what serves no queue any more.
func movable(n *store.Node) (api.Code, string) {
	if !n.Wanted {
		return api.InvalidNodeStatus, "is being deleted"
	}
	return api.Code{}, ""
}

func queueNamed(queues []*store.Queue, c *store.Cluster, name, attempt string) (*store.Queue, error) {
	i := slices.IndexFunc(queues, func(row *store.Queue) bool { return row.Name == name })
	if i < 0 {
		return nil, api.ObjectNotFound.Errorf("cannot %s: QueueName: cluster %s has no queue %.80q", attempt, c.ID, name)
	}
	return queues[i], nil
}

// shortList names some and counts the rest.
func shortList(names []string) string {
	const some = 5
	if len(names) <= some {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:some], ", "), len(names)-some)
}

// changeQueues runs fn on a running cluster's queues, keeps its words for the
// log, and waits for the nodes to know.
func changeQueues[A any](ctx context.Context, s *Service, clusterID, attempt string,
	fn func(context.Context, store.Tx, *store.Cluster, []*store.Queue, time.Time) (*A, string, error)) (*A, error) {
	now := time.Now()
	answer, err := change(ctx, s, func(ctx context.Context, tx store.Tx) (*A, error) {
		c, err := s.lockCluster(ctx, tx, clusterID)
		if err != nil {
			return nil, err
		}
		if err := mustRun(c, attempt); err != nil {
			return nil, err
		}
		queues, err := tx.Queues(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		answer, done, err := fn(ctx, tx, c, queues, now)
		if err != nil {
			return nil, err
		}
		return answer, tx.Log(ctx, c.ID, CallOf(ctx).Action, store.Info, done, now)
	})
	if err == nil {
		s.spread(ctx, clusterID, now)
	}
	return answer, err
}
