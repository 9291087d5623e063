package action

import (
	"context"
	"encoding/json"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// jobDetails is what DescribeJob tells beyond ListJobs.
type jobDetails struct {
	api.ListJobsJobInfo
	Queue       string
	CommandLine string
	Reason      string `json:",omitempty"` // the scheduler's words for why it waits
	EndTime     string // "" before the end
	ExitCode    int
	Restarts    int
	Used        *jobUsed `json:",omitempty"` // nil while it is not known
}

// jobUsed is what a job's ended runs used, as it was measured on their nodes.
type jobUsed struct {
	CpuTime   float64  // in seconds
	MaxMemory int64    // in bytes, the highest on each node added up, of the run with the most
	Energy    *float64 `json:",omitempty"` // in joules; nil where no machine tells
	Nodes     int      // on which it was measured, of all its runs
}

func usedBy(f store.Figures) *jobUsed {
	if f.MeasuredOn == 0 {
		return nil
	}
	u := &jobUsed{CpuTime: f.CPUTime.Seconds(), MaxMemory: f.MaxMemory, Nodes: f.MeasuredOn}
	if f.Energy != nil {
		joules := float64(*f.Energy) / 1000
		u.Energy = &joules
	}
	return u
}

// DescribeJob shows one job in full: JSON text, keyed by the job's id.
func (s *Service) DescribeJob(ctx context.Context, q *api.DescribeJobRequest) (*api.DescribeJobResponse, error) {
	j, err := s.job(ctx, s.Store.Read(), q.ClusterId, q.JobId)
	if err != nil {
		return nil, err
	}
	around, err := s.around(ctx, q.ClusterId, j)
	if err != nil {
		return nil, err
	}
	used, err := s.Store.Read().UsedBy(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	details := jobDetails{ListJobsJobInfo: jobInfo(j, around), Queue: j.Queue,
		CommandLine: j.CommandLine, EndTime: jobStamp(j.Ended), ExitCode: j.ExitCode, Restarts: j.Restarts, Used: usedBy(used)}
	if j.State == hpc.JobPending {
		details.Reason = j.Reason
	}
	text, err := json.Marshal(map[string]jobDetails{j.PublicID: details})
	return &api.DescribeJobResponse{Message: api.DescribeJobMessage{JobInfo: string(text)}}, err
}

// job returns one job of one of the caller's clusters.
func (s *Service) job(ctx context.Context, tx store.Tx, clusterID, id string) (*store.Job, error) {
	c, err := s.cluster(ctx, tx, clusterID)
	if err != nil {
		return nil, err
	}
	rows, err := tx.JobsOfPublic(ctx, c.ID, []string{id})
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, api.ObjectNotFound.Errorf("JobId: cluster %s has no job %.40q", c.ID, id)
	}
	return rows[len(rows)-1], nil
}
