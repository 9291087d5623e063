package action

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ehpc/api"
	"ehpc/internal/auth"
	"ehpc/internal/store"
)

// maxUsersPerCall bounds the work that one call can cause: each password is hashed.
const maxUsersPerCall = 100

// reservedNames are the accounts and groups that nodes have already, and those
// that software on them expects to be the system's, as far as the rule for
// names lets them through.
var reservedNames = map[string]bool{"daemon": true, "nobody": true, "backup": true, "systemd": true, "messagebus": true,
	"shadow": true, "operator": true, "nogroup": true, "dialout": true, "floppy": true, "plugdev": true}

// AddUsers adds accounts, all or none.
func (s *Service) AddUsers(ctx context.Context, q *api.AddUsersRequest) (*api.AddUsersResponse, error) {
	if len(q.User) > maxUsersPerCall {
		return nil, api.InvalidParams.Errorf("cannot add users: User has %d entries, the limit is %d", len(q.User), maxUsersPerCall)
	}
	call := CallOf(ctx)
	if answer, err := replay[api.AddUsersResponse](ctx, s.Store.Read(), call); err != nil || answer != nil {
		return answer, err
	}
	if err := s.addable(ctx, s.Store.Read(), q); err != nil {
		return nil, err
	}
	now := time.Now()
	passwords := make([]string, len(q.User))
	for i, u := range q.User {
		passwords[i] = u.Password
	}
	hashes, err := s.hashPasswords(ctx, passwords)
	if err != nil {
		return nil, err
	}
	accounts := make([]*store.Account, len(q.User))
	for i, u := range q.User {
		accounts[i] = &store.Account{ClusterID: q.ClusterId, Name: u.Name, UserGroup: u.Group, PasswordHash: hashes[i], Added: now}
	}
	answer, err := change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.AddUsersResponse, error) {
		if _, err := s.lockCluster(ctx, tx, q.ClusterId); err != nil {
			return nil, err
		}
		if err := s.addable(ctx, tx, q); err != nil {
			return nil, err
		}
		for _, a := range accounts {
			if err := tx.AddAccount(ctx, a); errors.Is(err, store.ErrConflict) {
				return nil, usernameExists(q.ClusterId, a.Name)
			} else if err != nil {
				return nil, err
			}
			line := fmt.Sprintf("account %s added (group %s, uid %d)", a.Name, a.UserGroup, a.UID)
			if err := tx.Log(ctx, q.ClusterId, "AddUsers", store.Info, line, now); err != nil {
				return nil, err
			}
		}
		return &api.AddUsersResponse{}, nil
	})
	if err == nil {
		s.inform(ctx, q.ClusterId, now)
	}
	return answer, err
}

// hashPasswords hashes on all cores: a full call must be answered before clients
// give it up.
func (s *Service) hashPasswords(ctx context.Context, passwords []string) ([]string, error) {
	hashes, errs := make([]string, len(passwords)), make([]error, len(passwords))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(passwords)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(passwords)); i = next.Add(1) - 1 {
				hashes[i], errs[i] = s.Passwords.Hash(ctx, passwords[i])
			}
		})
	}
	workers.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("cannot hash the users' passwords: %w", err)
	}
	return hashes, nil
}

func usernameExists(clusterID, name string) error {
	return api.UsernameExist.Errorf("cannot add user %s: cluster %s has an account of that name", name, clusterID)
}

// addable refuses what cannot be added before any password is hashed.
func (s *Service) addable(ctx context.Context, tx store.Tx, q *api.AddUsersRequest) error {
	c, err := s.cluster(ctx, tx, q.ClusterId)
	if err != nil {
		return err
	}
	if err := mustServe(c, "add users"); err != nil {
		return err
	}
	seen := map[string]bool{}
	for i, u := range q.User {
		if reservedNames[u.Name] {
			return api.InvalidParams.Errorf("cannot add users: User.%d.Name %q is the name of a system account", i+1, u.Name)
		}
		if seen[u.Name] {
			return usernameExists(c.ID, u.Name)
		}
		seen[u.Name] = true
		if _, err := tx.Account(ctx, c.ID, u.Name); err == nil {
			return usernameExists(c.ID, u.Name)
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// ListUsers shows a page of a cluster's accounts.
func (s *Service) ListUsers(ctx context.Context, q *api.ListUsersRequest) (*api.ListUsersResponse, error) {
	tx := s.Store.Read()
	if _, err := s.cluster(ctx, tx, q.ClusterId); err != nil {
		return nil, err
	}
	rows, total, err := tx.Accounts(ctx, q.ClusterId, store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	a := &api.ListUsersResponse{TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize}
	for _, u := range rows {
		a.Users.UserInfo = append(a.Users.UserInfo, api.ListUsersUserInfo{Name: u.Name, Username: u.Name, Group: u.UserGroup, AddTime: stamp(u.Added)})
	}
	return a, nil
}

// login checks an account's password and returns the account.
func (s *Service) login(ctx context.Context, tx store.Tx, c *store.Cluster, name, password string) (*store.Account, error) {
	account, err := tx.Account(ctx, c.ID, name)
	unknown := errors.Is(err, store.ErrNotFound)
	if err != nil && !unknown {
		return nil, err
	}
	hash := account.PasswordHash
	if unknown {
		hash = nobodysHash() // so that the answer takes as long as for a known one
	}
	err = s.Passwords.Check(ctx, time.Now(), CallOf(ctx).AccessKey, c.ID+"/"+name, hash, password)
	var slow *auth.TooManyWrong
	switch {
	case errors.As(err, &slow):
		return nil, api.ThrottlingUser.Errorf("account %q of cluster %s had too many wrong passwords from this key: try again in %s: %w", name, c.ID, slow.After.Round(time.Second), slow)
	case errors.Is(err, auth.ErrWrongPassword) || err == nil && unknown:
		return nil, api.IncorrectCredential.Errorf("the account name %q or its password is wrong in cluster %s", name, c.ID)
	case err != nil:
		return nil, fmt.Errorf("cannot check the password of account %s: %w", name, err)
	}
	return account, nil
}

// stillThere refuses what an account began that was deleted, or got another
// password, since it logged in.
func stillThere(ctx context.Context, tx store.Tx, a *store.Account) error {
	now, err := tx.Account(ctx, a.ClusterID, a.Name)
	if errors.Is(err, store.ErrNotFound) || err == nil && now.PasswordHash != a.PasswordHash {
		return api.IncorrectCredential.Errorf("the account name %q or its password is wrong in cluster %s", a.Name, a.ClusterID)
	}
	return err
}

// nobodysHash is the hash of a password that nobody knows.
var nobodysHash = sync.OnceValue(func() string {
	hash, err := auth.HashPassword(auth.RandomText(auth.Base62, 20))
	if err != nil {
		panic(err) // letters and digits always hash
	}
	return hash
})
