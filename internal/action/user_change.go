package action

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// DeleteUsers deletes accounts, all or none. Their sessions end, their jobs are
// cancelled, their files stay.
func (s *Service) DeleteUsers(ctx context.Context, q *api.DeleteUsersRequest) (*api.DeleteUsersResponse, error) {
	names := make([]string, len(q.User))
	for i, u := range q.User {
		names[i] = u.Name
	}
	now := time.Now()
	return changeUsers[api.DeleteUsersResponse](ctx, s, q.ClusterId, "delete users", names,
		func(ctx context.Context, tx store.Tx, _ int, a *store.Account) (string, error) {
			a.Deleted, a.PasswordHash = now, ""
			if err := tx.DropBudget(ctx, a.ClusterID, hpc.BudgetTarget{Account: a.Name}); err != nil {
				return "", err
			}
			return "deleted", tx.UnwantJobsOf(ctx, a.ClusterID, a.Name, now)
		})
}

// ModifyUserGroups moves accounts to other groups, all or none.
func (s *Service) ModifyUserGroups(ctx context.Context, q *api.ModifyUserGroupsRequest) (*api.ModifyUserGroupsResponse, error) {
	names := make([]string, len(q.User))
	for i, u := range q.User {
		names[i] = u.Name
	}
	return changeUsers[api.ModifyUserGroupsResponse](ctx, s, q.ClusterId, "change the groups of users", names,
		func(_ context.Context, _ store.Tx, i int, a *store.Account) (string, error) {
			a.UserGroup = q.User[i].Group
			return "moved to group " + a.UserGroup, nil
		})
}

// ModifyUserPasswords gives accounts other passwords, all or none. The old ones
// are wrong from then on, remembered or not: what is remembered is the hash.
func (s *Service) ModifyUserPasswords(ctx context.Context, q *api.ModifyUserPasswordsRequest) (*api.ModifyUserPasswordsResponse, error) {
	names, passwords := make([]string, len(q.User)), make([]string, len(q.User))
	for i, u := range q.User {
		names[i], passwords[i] = u.Name, u.Password
	}
	if answer, err := replay[api.ModifyUserPasswordsResponse](ctx, s.Store.Read(), CallOf(ctx)); err != nil || answer != nil {
		return answer, err
	}
	const attempt = "change the passwords of users"
	if _, err := s.changeable(ctx, s.Store.Read(), q.ClusterId, attempt, names); err != nil {
		return nil, err
	}
	hashes, err := s.hashPasswords(ctx, passwords)
	if err != nil {
		return nil, err
	}
	return changeUsers[api.ModifyUserPasswordsResponse](ctx, s, q.ClusterId, attempt, names,
		func(_ context.Context, _ store.Tx, i int, a *store.Account) (string, error) {
			a.PasswordHash = hashes[i]
			return "given another password", nil
		})
}

// changeUsers saves what fn makes of each of the accounts, and its words for
// the log, in one transaction, and waits for the nodes to know.
func changeUsers[A any](ctx context.Context, s *Service, clusterID, attempt string, names []string,
	fn func(ctx context.Context, tx store.Tx, i int, a *store.Account) (done string, err error)) (*A, error) {
	now := time.Now()
	answer, err := change(ctx, s, func(ctx context.Context, tx store.Tx) (*A, error) {
		if _, err := s.lockCluster(ctx, tx, clusterID); err != nil {
			return nil, err
		}
		accounts, err := s.changeable(ctx, tx, clusterID, attempt, names)
		if err != nil {
			return nil, err
		}
		for i, a := range accounts {
			done, err := fn(ctx, tx, i, a)
			if err != nil {
				return nil, err
			}
			if err := tx.SaveAccount(ctx, a); err != nil {
				return nil, err
			}
			if err := tx.Log(ctx, clusterID, CallOf(ctx).Action, store.Info, "account "+a.Name+" "+done, now); err != nil {
				return nil, err
			}
		}
		return new(A), nil
	})
	if err == nil {
		s.spread(ctx, clusterID, now)
	}
	return answer, err
}

// changeable returns the named accounts, or refuses what cannot be done to them.
func (s *Service) changeable(ctx context.Context, tx store.Tx, clusterID, attempt string, names []string) ([]*store.Account, error) {
	if len(names) > maxUsersPerCall {
		return nil, api.InvalidParams.Errorf("cannot %s: User has %d entries, the limit is %d", attempt, len(names), maxUsersPerCall)
	}
	c, err := s.cluster(ctx, tx, clusterID)
	if err != nil {
		return nil, err
	}
	if err := mustServe(c, attempt); err != nil {
		return nil, err
	}
	refused := refusals{attempt: attempt}
	accounts, seen := make([]*store.Account, len(names)), map[string]bool{}
	for i, name := range names {
		if seen[name] {
			return nil, api.InvalidParams.Errorf("cannot %s: User.%d.Name %q is given twice", attempt, i+1, name)
		}
		seen[name] = true
		if accounts[i], err = tx.Account(ctx, c.ID, name); errors.Is(err, store.ErrNotFound) {
			refused.add(api.AgentErrorAccountUserNotExist, "User.%d.Name: cluster %s has no account %q", i+1, c.ID, name)
		} else if err != nil {
			return nil, fmt.Errorf("cannot read account %s: %w", name, err)
		}
	}
	return accounts, refused.err(len(names))
}
