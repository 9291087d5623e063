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
		func(ctx context.Context, tx store.Tx, _ int, a *store.Account) (userChange, error) {
			a.Deleted, a.PasswordHash = now, ""
			if err := tx.DropBudget(ctx, a.ClusterID, hpc.BudgetTarget{Account: a.Name}); err != nil {
				return userChange{}, err
			}
			return userChange{"deleted", true}, tx.UnwantJobsOf(ctx, a.ClusterID, a.Name, now)
		})
}

// ModifyUserGroups moves accounts to other groups, all or none.
func (s *Service) ModifyUserGroups(ctx context.Context, q *api.ModifyUserGroupsRequest) (*api.ModifyUserGroupsResponse, error) {
	names := make([]string, len(q.User))
	for i, u := range q.User {
		names[i] = u.Name
	}
	return changeUsers[api.ModifyUserGroupsResponse](ctx, s, q.ClusterId, "change the groups of users", names,
		func(_ context.Context, _ store.Tx, i int, a *store.Account) (userChange, error) {
			withdraws := a.UserGroup == hpc.WheelName && q.User[i].Group != hpc.WheelName
			a.UserGroup = q.User[i].Group
			return userChange{"moved to group " + a.UserGroup, withdraws}, nil
		})
}

// ModifyUserPasswords gives accounts other passwords, all or none. The old ones
// are wrong from then on, remembered or not: what is remembered is the hash.
func (s *Service) ModifyUserPasswords(ctx context.Context, q *api.ModifyUserPasswordsRequest) (*api.ModifyUserPasswordsResponse, error) {
	const attempt = "change the passwords of users"
	names, passwords := make([]string, len(q.User)), make([]string, len(q.User))
	for i, u := range q.User {
		names[i], passwords[i] = u.Name, u.Password
	}
	if answer, err := replay[api.ModifyUserPasswordsResponse](ctx, s.Store.Read(), CallOf(ctx)); err != nil {
		return nil, err
	} else if answer != nil {
		return answer, s.inForce(ctx, q.ClusterId, attempt, names, time.Now())
	}
	if _, err := s.changeable(ctx, s.Store.Read(), q.ClusterId, attempt, names); err != nil {
		return nil, err
	}
	hashes, err := s.hashPasswords(ctx, passwords)
	if err != nil {
		return nil, err
	}
	return changeUsers[api.ModifyUserPasswordsResponse](ctx, s, q.ClusterId, attempt, names,
		func(_ context.Context, _ store.Tx, i int, a *store.Account) (userChange, error) {
			a.PasswordHash = hashes[i]
			return userChange{"given another password", true}, nil
		})
}

// userChange is what was done to an account, in words for the log. What withdraws a
// right is in force only where the nodes were told of it.
type userChange struct {
	done      string
	withdraws bool
}

// changeUsers saves what fn makes of each of the accounts in one transaction, and
// waits for the nodes to know.
func changeUsers[A any](ctx context.Context, s *Service, clusterID, attempt string, names []string,
	fn func(ctx context.Context, tx store.Tx, i int, a *store.Account) (userChange, error)) (*A, error) {
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
			what, err := fn(ctx, tx, i, a)
			if err != nil {
				return nil, err
			}
			if err := saveChange(ctx, tx, a, what, now); err != nil {
				return nil, err
			}
		}
		return new(A), nil
	})
	if err != nil {
		return nil, err
	}
	s.inform(ctx, clusterID, now)
	return answer, s.inForce(ctx, clusterID, attempt, names, now) // a repeated request waits too
}

func saveChange(ctx context.Context, tx store.Tx, a *store.Account, what userChange, now time.Time) error {
	if err := tx.SaveAccount(ctx, a); err != nil {
		return err
	}
	line := "account " + a.Name + " " + what.done
	if err := tx.Log(ctx, a.ClusterID, CallOf(ctx).Action, store.Info, line, now); err != nil || !what.withdraws {
		return err
	}
	nodes, err := tx.Nodes(ctx, a.ClusterID)
	if err != nil {
		return err
	}
	var late []*store.LateAccount
	for _, n := range nodes {
		if n.Plan != "" { // it has been set up
			late = append(late, &store.LateAccount{ClusterID: a.ClusterID, NodeID: n.ID, Account: a.Name, Change: line, Since: now})
		}
	}
	return tx.AddLateAccounts(ctx, late)
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
	var unknown []string
	accounts, seen := make([]*store.Account, len(names)), map[string]bool{}
	for i, name := range names {
		if seen[name] {
			return nil, api.InvalidParams.Errorf("cannot %s: User.%d.Name %q is given twice", attempt, i+1, name)
		}
		seen[name] = true
		if accounts[i], err = tx.Account(ctx, c.ID, name); errors.Is(err, store.ErrNotFound) {
			unknown = append(unknown, name)
			refused.add(api.AgentErrorAccountUserNotExist, "User.%d.Name: cluster %s has no account %q", i+1, c.ID, name)
		} else if err != nil {
			return nil, fmt.Errorf("cannot read account %s: %w", name, err)
		}
	}
	if len(unknown) == len(names) {
		if err := s.deletedLately(ctx, tx, c.ID, attempt, names); err != nil {
			return nil, err
		}
	}
	return accounts, refused.err(len(names))
}
