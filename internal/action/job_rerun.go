package action

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// RerunJobs runs jobs again under the ids that they have, all or none. A job that
// has ended begins anew; one that runs is stopped first, if it is rerunable.
//
// What runs again is a row of its own with a token of its own, which the jobs
// loop hands to the scheduler: under the old token it would be held for a run
// that there was already. The row before stays, listed no more, so that nothing
// the scheduler still has of it starts once more.
func (s *Service) RerunJobs(ctx context.Context, q *api.RerunJobsRequest) (*api.RerunJobsResponse, error) {
	const attempt = "rerun jobs"
	ids, err := jobIDs(q.Jobs, attempt)
	if err != nil {
		return nil, err
	}
	var running []*store.Job
	answer, err := change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.RerunJobsResponse, error) {
		running = nil
		rows, err := s.jobsToChange(ctx, tx, q.ClusterId, ids, attempt, func(row *store.Job) (api.Code, string, error) {
			why, err := notRerunnable(ctx, tx, row)
			return api.AgentErrorJobRerunFailure, why, err
		})
		if err != nil {
			return nil, err
		}
		now := time.Now()
		for _, row := range rows {
			if row.Ended.IsZero() {
				running = append(running, row)
			}
			row.Wanted, row.Modified, row.Deleted = false, now, now
			if err := tx.SaveJob(ctx, row); err != nil {
				return nil, err
			}
			again := anew(row, now)
			if err := room(ctx, tx, again); err != nil {
				return nil, api.AgentErrorJobRerunFailure.Errorf("cannot rerun jobs: Jobs: job %s: %v", row.PublicID, err)
			}
			if err := tx.InsertJob(ctx, again); err != nil {
				return nil, err
			}
		}
		return &api.RerunJobsResponse{}, tx.Log(ctx, q.ClusterId, "RerunJobs", store.Info, "jobs run again: "+strings.Join(ids, ", "), now)
	})
	if err == nil {
		s.cancelJobs(ctx, q.ClusterId, running)
	}
	return answer, err
}

// notRerunnable is why a job cannot be run again; "" if it can.
func notRerunnable(ctx context.Context, tx store.Tx, row *store.Job) (why string, err error) {
	switch {
	case row.Token == "":
		return "it was submitted on a node, with what it runs; submit it there", nil
	case !row.Ended.IsZero(): // it may be run again, whatever it is
	case !row.Wanted:
		return "it is being stopped; wait for its end", nil
	case row.State != hpc.JobRunning && row.State != hpc.JobSuspended:
		return fmt.Sprintf("it is %s and will run", row.State), nil
	case !row.Spec.Rerunable:
		return fmt.Sprintf("it is %s and was submitted without ReRunable; stop it first", row.State), nil
	}
	_, err = tx.Account(ctx, row.ClusterID, row.Owner)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Sprintf("its account %s was deleted", row.Owner), nil
	}
	return "", err
}

// anew is a row for another run of a job from its start.
func anew(row *store.Job, now time.Time) *store.Job {
	spec := row.Spec
	spec.Token, spec.Attempt = newJobToken(), 0
	again := newJob(row.ClusterID, &api.SubmitJobRequest{CommandLine: row.CommandLine}, spec, now)
	again.PublicID = row.PublicID
	return again
}
