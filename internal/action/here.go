package action

import (
	"context"
	"errors"
	"reflect"
	"time"

	"ehpc/api"
	"ehpc/internal/store"
)

// Holder tells whether this server runs a cluster, and otherwise the lease under
// which another one does. The lease may have ended; nil when there never was one.
type Holder func(ctx context.Context, clusterID string) (here bool, lease *store.Lease, err error)

// here is typed for an action on a cluster that needs its machine: its capacity,
// its nodes' agents or its scheduler. Only the server that runs the cluster serves it.
func here[Q, A any](s *Service, fn func(context.Context, *Q) (*A, error)) Handler {
	serve := typed(fn)
	return func(ctx context.Context, request any) (any, error) {
		id := reflect.ValueOf(request).Elem().FieldByName("ClusterId").String()
		if err := s.mustHold(ctx, id); err != nil {
			return nil, err
		}
		return serve(ctx, request)
	}
}

// mustHold refuses what only the server that runs the cluster can do.
func (s *Service) mustHold(ctx context.Context, clusterID string) error {
	if s.Holder == nil {
		return nil
	}
	isHere, lease, err := s.Holder(ctx, clusterID)
	if isHere || errors.Is(err, store.ErrNotFound) { // the action itself says that there is no such cluster
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := s.cluster(ctx, s.Store.Read(), clusterID); err != nil {
		return err // whose cluster it is not learns nothing of it
	}
	attempt := CallOf(ctx).Action
	switch {
	case lease == nil:
		return api.ServiceUnavailable.Errorf("cannot carry out %s: no server runs cluster %s at the moment; try again", attempt, clusterID)
	case !time.Now().Before(lease.Expires):
		return api.ServiceUnavailable.Errorf("cannot carry out %s: cluster %s is on the machine of %s, which does not run at the moment; try again",
			attempt, clusterID, serverAt(lease))
	}
	return api.ServiceUnavailable.Errorf("cannot carry out %s: cluster %s is on the machine of %s; send the request there", attempt, clusterID, serverAt(lease))
}

func serverAt(l *store.Lease) string {
	if l.Endpoint == "" {
		return "another server"
	}
	return "the server at " + l.Endpoint
}
