package action

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"ehpc/api"
	"ehpc/internal/store"
)

// ListJobsWithFilters shows a page of a cluster's jobs, from the store alone.
func (s *Service) ListJobsWithFilters(ctx context.Context, q *api.ListJobsWithFiltersRequest) (*api.ListJobsWithFiltersResponse, error) {
	f, err := jobFilter(q)
	if err != nil {
		return nil, err
	}
	orders, err := jobOrders(q)
	if err != nil {
		return nil, err
	}
	if q.PageSize > maxJobsPerCall {
		return nil, badFilter("PageSize", strconv.Itoa(q.PageSize), "more than "+strconv.Itoa(maxJobsPerCall))
	}
	if _, err := s.cluster(ctx, s.Store.Read(), q.ClusterId); err != nil {
		return nil, err
	}
	rows, total, err := s.jobs(ctx, q.ClusterId, f, orders, store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	around, err := s.around(ctx, q.ClusterId, rows...)
	if err != nil {
		return nil, err
	}
	a := &api.ListJobsWithFiltersResponse{Success: true, TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize}
	for _, j := range rows {
		a.Jobs = append(a.Jobs, filteredJob(j, around))
	}
	return a, nil
}

func filteredJob(j *store.Job, around jobsAround) api.ListJobsWithFiltersJobs {
	i, variables := jobInfo(j, around), ""
	if len(j.Spec.Env) > 0 {
		text, _ := json.Marshal(j.Spec.Env) // strings always marshal
		variables = string(text)            // as SubmitJob takes them
	}
	return api.ListJobsWithFiltersJobs{ArrayRequest: i.ArrayRequest, Comment: i.Comment, Id: i.Id, LastModifyTime: i.LastModifyTime,
		Name: i.Name, NodeList: i.NodeList, Owner: i.Owner, Priority: i.Priority, Queue: j.Queue, Rerunable: i.Rerunable,
		Resources: &api.ListJobsWithFiltersResources{Cores: j.Cores, Nodes: j.Nodes}, ShellPath: i.ShellPath,
		StartTime: i.StartTime, State: i.State, Stderr: i.Stderr, Stdout: i.Stdout, SubmitTime: i.SubmitTime, VariableList: variables}
}

func badFilter(param, value, why string) error {
	return api.InvalidParams.Errorf("cannot list jobs: %s: %.40q is %s", param, value, why)
}

func jobFilter(q *api.ListJobsWithFiltersRequest) (f store.JobFilter, err error) {
	f = store.JobFilter{Name: q.JobName, Owners: q.Users, Queues: q.Queues, Nodes: q.Nodes}
	switch q.JobStatus {
	case "", "all":
	case "finished":
		f.Finished = true
	case "notfinish":
		f.Open = true
	default:
		return f, badFilter("JobStatus", q.JobStatus, "none of all, finished and notfinish")
	}
	if f.From, err = unixSecond("CreateTimeStart", q.CreateTimeStart); err != nil {
		return f, err
	}
	if f.To, err = unixSecond("CreateTimeEnd", q.CreateTimeEnd); err != nil {
		return f, err
	}
	if !f.To.IsZero() {
		f.To = f.To.Add(time.Second) // the whole of the last second
	}
	return f, nil
}

func unixSecond(param, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	n, err := strconv.ParseUint(text, 10, 37) // until the year 6325
	if err != nil {
		return time.Time{}, badFilter(param, text, "no number of seconds since 1970")
	}
	return time.Unix(int64(n), 0).UTC(), nil
}

func jobOrders(q *api.ListJobsWithFiltersRequest) ([]store.JobOrder, error) {
	var orders []store.JobOrder
	for _, o := range []struct {
		param, value string
		by           store.JobTime
	}{{"ExecuteOrder", q.ExecuteOrder, store.ByRunning}, {"PendOrder", q.PendOrder, store.ByWaiting}, {"SubmitOrder", q.SubmitOrder, store.BySubmission}} {
		switch o.value {
		case "":
		case "asc", "desc":
			orders = append(orders, store.JobOrder{By: o.by, Descending: o.value == "desc"})
		default:
			return nil, badFilter(o.param, o.value, "neither asc nor desc")
		}
	}
	return orders, nil
}
