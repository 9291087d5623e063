package action

import (
	"context"
	"slices"
	"time"

	"ehpc/api"
	"ehpc/internal/store"
)

// inform waits until the cluster's nodes that can be reached know its accounts, so
// that a caller who goes on at once finds them there. A node that takes longer
// does nothing as an account that it does not know yet.
func (s *Service) inform(ctx context.Context, clusterID string, begun time.Time) {
	err := spreading(ctx, begun, func(ctx context.Context) (bool, error) { return s.Informed(ctx, clusterID) })
	if err != nil {
		s.Log.Warn("cannot tell whether accounts have reached the nodes", "cluster", clusterID, "err", err)
	}
}

// inForce waits until what was withdrawn from accounts is in force on every node,
// and is an error if it is not within the limit. What was decided stands; the
// request may be sent again, with its token or without, to hear that it is in force.
func (s *Service) inForce(ctx context.Context, clusterID, attempt string, names []string, begun time.Time) error {
	err := spreading(ctx, begun, func(ctx context.Context) (bool, error) {
		late, err := lateOn(ctx, s.Store.Read(), clusterID, names)
		return len(late) == 0, err
	})
	if err != nil {
		return err
	}
	late, err := lateOn(ctx, s.Store.Read(), clusterID, names)
	if err != nil {
		return err
	}
	return notInForce(clusterID, attempt, late)
}

func notInForce(clusterID, attempt string, hosts []string) error {
	if len(hosts) == 0 {
		return nil
	}
	return api.ServiceUnavailable.Errorf("cannot %s on every node yet: cluster %s has the change and keeps it, but it is not in force on %s, which could not be told so far and will be as soon as possible; try again",
		attempt, clusterID, shortList(hosts))
}

// deletedLately is the answer for accounts that were all deleted, while that is not
// in force on every node; nil for any others.
func (s *Service) deletedLately(ctx context.Context, tx store.Tx, clusterID, attempt string, names []string) error {
	if CallOf(ctx).Action != "DeleteUsers" {
		return nil
	}
	var hosts []string
	for _, name := range names {
		on, err := lateOn(ctx, tx, clusterID, []string{name})
		if err != nil || len(on) == 0 {
			return err
		}
		hosts = append(hosts, on...)
	}
	slices.Sort(hosts)
	return notInForce(clusterID, attempt, slices.Compact(hosts))
}

// lateOn are the nodes that are still to be told of something that was withdrawn
// from one of the accounts.
func lateOn(ctx context.Context, tx store.Tx, clusterID string, names []string) (hosts []string, err error) {
	late, err := tx.LateAccounts(ctx, clusterID)
	if err != nil || len(late) == 0 {
		return nil, err
	}
	nodes, err := tx.Nodes(ctx, clusterID)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if slices.ContainsFunc(late, func(l *store.LateAccount) bool { return l.NodeID == n.ID && slices.Contains(names, l.Account) }) {
			hosts = append(hosts, n.Hostname)
		}
	}
	return hosts, nil
}
