package action

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"ehpc/api"
	"ehpc/internal/auth"
	"ehpc/internal/config"
	"ehpc/internal/fetch"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// Links reaches the nodes' agents.
type Links interface {
	Present(nodeID string) bool
	Node(nodeID string) link.Node
	Scheduler(nodeID string) scheduler.Scheduler
}

// Image is a node image as the API lists it.
type Image struct {
	ID         string
	OsTag      string
	OSName     string
	Platform   string
	Version    string
	Schedulers map[string]string // engine -> version
	Software   map[string]string // name -> version
}

// Service is what the actions work with.
type Service struct {
	Store      *store.Store
	Config     config.Config
	Links      Links
	Passwords  *auth.Passwords
	Images     func() ([]Image, error)
	Fits       func(ctx context.Context, types []hpc.InstanceType) error
	Reclaims   bool                                                                // the machines' provider can be told to take one back
	Wake       func()                                                              // wakes the reconcilers
	Submitted  func()                                                              // wakes the one that releases jobs
	UpToDate   func(ctx context.Context, clusterID string) (bool, error)           // whether the nodes that can be reached match the rows
	Informed   func(ctx context.Context, clusterID string) (bool, error)           // whether the nodes that can be reached know the accounts
	ScalePlan  func(ctx context.Context, clusterID string) (hpc.ScalePlan, error)  // what auto scaling would do now
	VolumeSize func(ctx context.Context, clusterID string) (hpc.VolumeSize, error) // what its volume holds, as far as it comes in time
	Version    string                                                              // of this program
	Lookup     fetch.Lookup                                                        // of the hosts of input files; nil: the system's
	Home       string                                                              // of new clusters; see store.Cluster
	Holder     Holder                                                              // nil on a store that is this server's alone
	Log        *slog.Logger

	fetching sync.Once
	fetcher  *fetch.Fetcher
}

// Handler serves one action; request and answer are those of package api.
type Handler func(ctx context.Context, request any) (any, error)

func typed[Q, A any](fn func(context.Context, *Q) (*A, error)) Handler {
	return func(ctx context.Context, request any) (any, error) {
		return fn(ctx, request.(*Q))
	}
}

// cluster returns one of the caller's clusters.
func (s *Service) cluster(ctx context.Context, tx store.Tx, id string) (*store.Cluster, error) {
	c, err := tx.Cluster(ctx, id)
	return c, owned(ctx, c, id, err)
}

// lockCluster is cluster for a transaction that decides on it.
func (s *Service) lockCluster(ctx context.Context, tx store.Tx, id string) (*store.Cluster, error) {
	c, err := tx.LockCluster(ctx, id)
	return c, owned(ctx, c, id, err)
}

func owned(ctx context.Context, c *store.Cluster, id string, err error) error {
	if errors.Is(err, store.ErrNotFound) || err == nil && c.Owner != CallOf(ctx).Owner {
		return api.ClusterNotFound.Errorf("cluster %q does not exist", id)
	}
	if err != nil {
		return fmt.Errorf("cannot read cluster %s: %w", id, err)
	}
	return nil
}

// mustRun refuses what only a running cluster can do.
func mustRun(c *store.Cluster, attempt string) error {
	if c.Status != hpc.ClusterRunning {
		return api.InvalidClusterStatus.Errorf("cannot %s: cluster %s is %s, not running", attempt, c.ID, c.Status)
	}
	return nil
}

// mustServe refuses what a cluster cannot do that was never in service, or goes. In
// exception it does what still works; what needs the manager says so, see manager.
func mustServe(c *store.Cluster, attempt string) error {
	if c.Wanted && c.Status == hpc.ClusterException {
		return nil
	}
	return mustRun(c, attempt)
}

// manager returns the node that runs the cluster's scheduler, which must be reachable.
func (s *Service) manager(nodes []*store.Node, c *store.Cluster) (*store.Node, error) {
	for _, n := range nodes {
		if n.HasRole(hpc.RoleManager) && n.Status == hpc.NodeRunning && s.Links.Present(n.ID) {
			return n, nil
		}
	}
	return nil, api.ServiceUnavailable.Errorf("the manager of cluster %s is not in service now; try again", c.ID)
}

// fits refuses what this server's machines cannot hold, counting what is wanted but not made yet.
func (s *Service) fits(ctx context.Context, more []hpc.InstanceType) error {
	unmade, err := s.Store.Read().UnmadeTypes(ctx, s.Home)
	if err != nil {
		return err
	}
	if err := s.Fits(ctx, append(unmade, more...)); errors.Is(err, provider.ErrNoCapacity) {
		// TooManyNodes and its like are for quotas, which more machines do not lift.
		return api.EcsError.Errorf("cannot make %d more nodes: %v", len(more), err)
	} else if err != nil {
		return api.EcsError.Errorf("cannot tell whether %d more nodes fit: %v", len(more), err)
	}
	return nil
}

// spreadLimit is how long a call may last that waits for its change to reach the nodes.
const spreadLimit = 2 * time.Second

// spread waits until a change of queues that was committed has reached the
// cluster's nodes, so that a caller who goes on at once finds it there. A node
// that takes longer gets it later by itself.
func (s *Service) spread(ctx context.Context, clusterID string, begun time.Time) {
	err := spreading(ctx, begun, func(ctx context.Context) (bool, error) { return s.UpToDate(ctx, clusterID) })
	if err != nil {
		s.Log.Warn("cannot tell whether a change has reached the nodes", "cluster", clusterID, "err", err)
	}
}

// spreading asks again and again, until the limit, whether a change is there.
func spreading(ctx context.Context, begun time.Time, there func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithDeadline(ctx, begun.Add(spreadLimit))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select { // at once it is nowhere yet
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if yes, err := there(ctx); yes || ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// stamp writes a time as the document's answers do; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
