package action

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ehpc/api"
	"ehpc/internal/store"
)

// SetJobUser says which account the jobs of this access key run as in a cluster
// where SubmitJob names none. The password is checked here, and counts for those
// jobs as long as it is the account's.
func (s *Service) SetJobUser(ctx context.Context, q *api.SetJobUserRequest) (*api.SetJobUserResponse, error) {
	const attempt = "set the owner of jobs"
	if answer, err := replay[api.SetJobUserResponse](ctx, s.Store.Read(), CallOf(ctx)); err != nil || answer != nil {
		return answer, err
	}
	c, err := s.cluster(ctx, s.Store.Read(), q.ClusterId)
	if err != nil {
		return nil, err
	}
	if err := mustRun(c, attempt); err != nil {
		return nil, err
	}
	account, err := s.login(ctx, s.Store.Read(), c, q.RunasUser, q.RunasUserPassword)
	if err != nil {
		return nil, err
	}
	return commit(ctx, s, func(ctx context.Context, tx store.Tx) (*api.SetJobUserResponse, error) {
		c, err := s.lockCluster(ctx, tx, q.ClusterId)
		if err == nil {
			err = mustRun(c, attempt)
		}
		if err == nil {
			err = stillThere(ctx, tx, account)
		}
		if err != nil {
			return nil, err
		}
		now, key := time.Now(), CallOf(ctx).AccessKey
		u := &store.JobUser{ClusterID: c.ID, AccessKey: key, Account: account.Name, PasswordHash: account.PasswordHash, Chosen: now}
		if err := tx.SaveJobUser(ctx, u); err != nil {
			return nil, err
		}
		line := fmt.Sprintf("jobs that access key %s submits without an account run as %s", key, account.Name)
		return &api.SetJobUserResponse{}, tx.Log(ctx, c.ID, "SetJobUser", store.Info, line, now)
	})
}

// submitter is actAs for SubmitJob, whose account SetJobUser may have said.
func (s *Service) submitter(ctx context.Context, tx store.Tx, q *api.SubmitJobRequest) (*store.Cluster, *store.Node, *store.Account, error) {
	const attempt = "submit a job"
	if q.RunasUser != "" && q.RunasUserPassword != "" {
		return s.actAs(ctx, tx, q.ClusterId, q.RunasUser, q.RunasUserPassword, attempt)
	}
	c, err := s.cluster(ctx, tx, q.ClusterId)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := mustRun(c, attempt); err != nil {
		return nil, nil, nil, err
	}
	chosen, err := tx.JobUser(ctx, c.ID, CallOf(ctx).AccessKey)
	if errors.Is(err, store.ErrNotFound) || err == nil && q.RunasUser != "" && q.RunasUser != chosen.Account {
		return nil, nil, nil, missingUser(c, q)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	if q.RunasUserPassword != "" {
		return s.actAs(ctx, tx, c.ID, chosen.Account, q.RunasUserPassword, attempt)
	}
	account, err := tx.Account(ctx, c.ID, chosen.Account)
	if errors.Is(err, store.ErrNotFound) || err == nil && account.PasswordHash != chosen.PasswordHash {
		return nil, nil, nil, api.IncorrectCredential.Errorf("cannot %s: RunasUser: account %s, which SetJobUser chose in cluster %s, was deleted or has another password since; call SetJobUser again", attempt, chosen.Account, c.ID)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	nodes, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return nil, nil, nil, err
	}
	manager, err := s.manager(nodes, c)
	return c, manager, account, err
}

// missingUser is the answer that the document has for a parameter left out.
func missingUser(c *store.Cluster, q *api.SubmitJobRequest) error {
	name := "RunasUser"
	if q.RunasUser != "" {
		name = "RunasUserPassword"
	}
	return api.Missing(name).Errorf("cannot submit a job: %s is mandatory, unless SetJobUser was called with this access key for cluster %s", name, c.ID)
}
