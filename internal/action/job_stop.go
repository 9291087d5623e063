package action

import (
	"context"
	"strings"
	"time"

	"ehpc/api"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// maxJobsPerCall bounds the jobs that one call names.
const maxJobsPerCall = 1000

// StopJobs ends jobs for good, all or none. Those that have ended, or are being
// stopped, are no obstacle: a job may end between a look at it and this call. The
// rows are the tombstones: what the scheduler holds of an unwanted job is
// cancelled whenever it is seen.
func (s *Service) StopJobs(ctx context.Context, q *api.StopJobsRequest) (*api.StopJobsResponse, error) {
	ids, err := jobIDs(q.Jobs, "stop jobs")
	if err != nil {
		return nil, err
	}
	var open []*store.Job
	answer, err := change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.StopJobsResponse, error) {
		rows, err := s.jobsToChange(ctx, tx, q.ClusterId, ids, "stop jobs", nil)
		if err != nil {
			return nil, err
		}
		open = nil
		var stopped []string
		for _, row := range rows {
			if !row.Ended.IsZero() || !row.Wanted {
				continue
			}
			row.Wanted, row.Modified = false, time.Now()
			if err := tx.SaveJob(ctx, row); err != nil {
				return nil, err
			}
			open, stopped = append(open, row), append(stopped, row.PublicID)
		}
		if len(open) == 0 {
			return &api.StopJobsResponse{}, nil
		}
		line := "jobs to be stopped: " + strings.Join(stopped, ", ")
		return &api.StopJobsResponse{}, tx.Log(ctx, q.ClusterId, "StopJobs", store.Info, line, time.Now())
	})
	if err == nil {
		s.cancelJobs(ctx, q.ClusterId, open)
	}
	return answer, err
}

// DeleteJobs takes jobs off the listings for good, all or none; those that have
// not ended are stopped.
func (s *Service) DeleteJobs(ctx context.Context, q *api.DeleteJobsRequest) (*api.DeleteJobsResponse, error) {
	ids, err := jobIDs(q.Jobs, "delete jobs")
	if err != nil {
		return nil, err
	}
	var open []*store.Job
	answer, err := change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.DeleteJobsResponse, error) {
		rows, err := s.jobsToChange(ctx, tx, q.ClusterId, ids, "delete jobs", nil)
		if err != nil {
			return nil, err
		}
		now := time.Now()
		open = nil
		for _, row := range rows {
			row.Wanted, row.Modified, row.Deleted = false, now, now
			if err := tx.SaveJob(ctx, row); err != nil {
				return nil, err
			}
			if row.Ended.IsZero() {
				open = append(open, row)
			}
		}
		return &api.DeleteJobsResponse{}, tx.Log(ctx, q.ClusterId, "DeleteJobs", store.Info, "jobs deleted: "+strings.Join(ids, ", "), now)
	})
	if err == nil {
		s.cancelJobs(ctx, q.ClusterId, open)
	}
	return answer, err
}

// jobIDs reads [{"Id":".."}]; an id that is named twice counts once.
func jobIDs(text, attempt string) ([]string, error) {
	var list []struct{ Id string }
	if err := api.ReadJSON(text, &list); err != nil {
		return nil, api.InvalidParams.Errorf(`cannot %s: Jobs is not of the form [{"Id":".."}]`, attempt)
	}
	if len(list) == 0 || len(list) > maxJobsPerCall {
		return nil, api.InvalidParams.Errorf("cannot %s: Jobs has %d entries, not 1 to %d", attempt, len(list), maxJobsPerCall)
	}
	var ids []string
	seen := map[string]bool{}
	for i, entry := range list {
		if entry.Id == "" {
			return nil, api.InvalidParams.Errorf("cannot %s: Jobs: entry %d has no Id", attempt, i+1)
		}
		if !seen[entry.Id] {
			seen[entry.Id] = true
			ids = append(ids, entry.Id)
		}
	}
	return ids, nil
}

// jobRefusal is why something cannot be done to a job; "" if it can.
type jobRefusal func(*store.Job) (code api.Code, why string, err error)

// jobsToChange returns the named jobs of a running cluster in the order of their
// submission, for a transaction that decides on them. One that is not there, or
// that refuse has a reason against, is told with all others of the kind.
func (s *Service) jobsToChange(ctx context.Context, tx store.Tx, clusterID string, ids []string, attempt string, refuse jobRefusal) ([]*store.Job, error) {
	c, err := s.lockCluster(ctx, tx, clusterID)
	if err != nil {
		return nil, err
	}
	if err := mustServe(c, attempt); err != nil {
		return nil, err
	}
	rows, err := tx.JobsOfPublic(ctx, c.ID, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]*store.Job, len(rows))
	for _, row := range rows {
		byID[row.PublicID] = row
	}
	refused := refusals{attempt: attempt}
	for _, id := range ids {
		row := byID[id]
		if row == nil {
			refused.add(api.ObjectNotFound, "Jobs: cluster %s has no job %.40q", c.ID, id)
			continue
		}
		if refuse == nil {
			continue
		}
		code, why, err := refuse(row)
		if err != nil {
			return nil, err
		}
		if why != "" {
			refused.add(code, "Jobs: job %s: %s", id, why)
		}
	}
	return rows, refused.err(len(ids))
}

// cancelJobs has the scheduler end unwanted jobs before the caller goes on. What
// cannot be cancelled now is left to the reconciler.
func (s *Service) cancelJobs(ctx context.Context, clusterID string, rows []*store.Job) {
	if len(rows) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, spreadLimit)
	defer cancel()
	err := s.cancelNow(ctx, clusterID, rows)
	if err != nil {
		s.Log.Info("jobs not cancelled yet", "cluster", clusterID, "err", err)
	}
	s.Wake()
}

func (s *Service) cancelNow(ctx context.Context, clusterID string, rows []*store.Job) error {
	c, err := s.Store.Read().Cluster(ctx, clusterID)
	if err != nil {
		return err
	}
	nodes, err := s.Store.Read().Nodes(ctx, clusterID)
	if err != nil {
		return err
	}
	manager, err := s.manager(nodes, c)
	if err != nil {
		return err
	}
	jobs := make([]scheduler.Ref, len(rows))
	for i, row := range rows {
		jobs[i] = scheduler.Ref{ID: row.SchedID, Token: row.Token}
	}
	return s.Links.Scheduler(manager.ID).Stop(ctx, jobs...)
}
