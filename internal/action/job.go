package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// CreateJobFile writes a file on the cluster as an account, inside its home.
func (s *Service) CreateJobFile(ctx context.Context, q *api.CreateJobFileRequest) (*api.CreateJobFileResponse, error) {
	tx := s.Store.Read()
	if answer, err := replay[api.CreateJobFileResponse](ctx, tx, CallOf(ctx)); err != nil || answer != nil {
		return answer, err // the file may have been written anew since
	}
	_, node, account, err := s.actAs(ctx, tx, q.ClusterId, q.RunasUser, q.RunasUserPassword, "create a job file")
	if err != nil {
		return nil, err
	}
	file := link.AccountFile{Account: account.Name, UID: account.UID, Path: strings.TrimPrefix(q.TargetFile, "~/"), Content: []byte(q.Content)}
	if err := s.Links.Node(node.ID).WriteFile(ctx, file); errors.Is(err, link.ErrDenied) {
		return nil, api.InvalidParams.Errorf("cannot create a job file: TargetFile %q: %v", q.TargetFile, err)
	} else if err != nil {
		return nil, s.unreachable(err, "create job file "+q.TargetFile)
	}
	return commit(ctx, s, func(ctx context.Context, tx store.Tx) (*api.CreateJobFileResponse, error) {
		line := fmt.Sprintf("account %s wrote %s", account.Name, q.TargetFile)
		return &api.CreateJobFileResponse{}, tx.Log(ctx, q.ClusterId, "CreateJobFile", store.Info, line, time.Now())
	})
}

// actAs returns what an action needs to do something as an account: the
// running cluster, its manager in service, and the account, its password checked.
func (s *Service) actAs(ctx context.Context, tx store.Tx, clusterID, user, password, attempt string) (*store.Cluster, *store.Node, *store.Account, error) {
	c, err := s.cluster(ctx, tx, clusterID)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := mustServe(c, attempt); err != nil {
		return nil, nil, nil, err
	}
	account, err := s.login(ctx, tx, c, user, password)
	if err != nil {
		return nil, nil, nil, err
	}
	nodes, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return nil, nil, nil, err
	}
	node, err := s.manager(nodes, c)
	return c, node, account, err
}

// unreachable tells a caller that a node or its scheduler could not do it now.
func (s *Service) unreachable(err error, attempt string) error {
	switch {
	case errors.Is(err, hpc.ErrUnknownAccount):
		return api.ServiceUnavailable.Errorf("cannot %s: the cluster's manager does not know the account yet; try again: %w", attempt, err)
	case errors.Is(err, scheduler.ErrUnavailable):
		return api.ServiceUnavailable.Errorf("cannot %s: the cluster's scheduler does not answer now; try again: %w", attempt, err)
	case errors.Is(err, link.ErrAbsent), errors.Is(err, context.DeadlineExceeded):
		return api.ServiceUnavailable.Errorf("cannot %s: the manager does not answer now; try again: %w", attempt, err)
	}
	return api.AgentError.Errorf("cannot %s: %v", attempt, err)
}

// SubmitJob accepts a job, hands it to the scheduler held, and commits its id;
// the reconciler releases it then. An answer with an error is the truth: the job
// never runs.
func (s *Service) SubmitJob(ctx context.Context, q *api.SubmitJobRequest) (*api.SubmitJobResponse, error) {
	call := CallOf(ctx)
	if answer, err := replay[api.SubmitJobResponse](ctx, s.Store.Read(), call); err != nil || answer != nil {
		return answer, err
	}
	c, err := s.cluster(ctx, s.Store.Read(), q.ClusterId)
	if err == nil {
		err = mustRun(c, "submit a job")
	}
	if err != nil {
		return nil, err
	}
	c, manager, account, err := s.submitter(ctx, s.Store.Read(), q)
	if err != nil {
		return nil, err
	}
	queues, err := s.Store.Read().Queues(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	spec, err := jobSpec(q, account, queues)
	if err != nil {
		return nil, err
	}
	if err := s.bringInputFile(ctx, manager, spec, q.InputFileUrl); err != nil {
		return nil, err
	}
	if err := s.checkJobPaths(ctx, manager, q, spec); err != nil {
		return nil, err
	}
	job := newJob(c.ID, q, spec, time.Now())
	accept := func(ctx context.Context, tx store.Tx) error {
		locked, err := s.lockCluster(ctx, tx, c.ID)
		if err == nil {
			err = mustRun(locked, "submit a job")
		}
		if err == nil {
			err = stillThere(ctx, tx, account)
		}
		if err == nil {
			err = room(ctx, tx, job)
		}
		if err != nil {
			return err
		}
		return tx.InsertJob(ctx, job)
	}
	if err := s.Store.Change(ctx, accept); err != nil {
		return nil, err
	}
	id, err := s.Links.Scheduler(manager.ID).Submit(ctx, spec)
	if err != nil {
		s.giveUp(ctx, job, err)
		if errors.Is(err, scheduler.ErrRejected) {
			return nil, api.AgentErrorJobSubmitFailure.Errorf("cannot submit the job: %v", err)
		}
		return nil, s.unreachable(err, "submit the job")
	}
	return s.commitJob(ctx, job, id)
}

// commitJob writes the scheduler's id. Once it is written the job is the
// caller's, whatever happens.
func (s *Service) commitJob(ctx context.Context, job *store.Job, id string) (*api.SubmitJobResponse, error) {
	accepted := *job // the transaction may be tried again, or in vain
	answer, err := commit(ctx, s, func(ctx context.Context, tx store.Tx) (*api.SubmitJobResponse, error) {
		*job = accepted
		if err := stillWanted(ctx, tx, job); err != nil {
			return nil, err
		}
		job.PublicID, job.SchedID, job.State, job.Modified = id, id, hpc.JobPending, time.Now()
		job.Sight = job.Submitted // it may have been lost since, by a controller that came back before this
		if err := tx.SaveJob(ctx, job); err != nil {
			return nil, err
		}
		line := fmt.Sprintf("job %s (%s) of account %s accepted", id, job.Name, job.Owner)
		return &api.SubmitJobResponse{JobId: id}, tx.Log(ctx, job.ClusterID, "SubmitJob", store.Info, line, job.Modified)
	})
	if err != nil {
		*job = accepted
		s.giveUp(ctx, job, err)
		return nil, err
	}
	if answer.JobId != id { // the same token was answered meanwhile: this one is not wanted
		*job = accepted
		s.giveUp(ctx, job, nil)
		return answer, nil
	}
	s.Submitted()
	return answer, nil
}

// stillWanted refuses a job that was given up while the scheduler took it.
func stillWanted(ctx context.Context, tx store.Tx, job *store.Job) error {
	now, err := tx.Job(ctx, job.ID)
	if err != nil || now.Wanted {
		return err
	}
	if _, err := tx.Account(ctx, job.ClusterID, job.Owner); errors.Is(err, store.ErrNotFound) {
		return api.IncorrectCredential.Errorf("cannot submit the job: RunasUser: account %s was deleted from cluster %s meanwhile", job.Owner, job.ClusterID)
	}
	return api.AgentErrorJobSubmitFailure.Errorf("cannot submit the job: it was given up meanwhile")
}

// giveUp marks an accepted job that will get no id as not wanted; the
// reconciler removes what the scheduler may hold of it.
func (s *Service) giveUp(ctx context.Context, job *store.Job, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	now := time.Now()
	job.Wanted, job.Modified = false, now
	if errors.Is(cause, scheduler.ErrRejected) { // it was never there
		job.State, job.Ended = hpc.JobFailed, now
	}
	err := s.Store.Change(ctx, func(ctx context.Context, tx store.Tx) error {
		if now, err := tx.Job(ctx, job.ID); err != nil || !now.Wanted {
			return err // it is given up already
		}
		return tx.SaveJob(ctx, job)
	})
	if err != nil { // the reconciler gives it up later, by its age
		s.Log.Warn("job not given up yet", "cluster", job.ClusterID, "job", job.ID, "err", err)
	}
	s.Wake()
}

func newJob(clusterID string, q *api.SubmitJobRequest, spec hpc.JobSpec, now time.Time) *store.Job {
	return &store.Job{ID: store.NewID(), ClusterID: clusterID, Token: spec.Token, Owner: spec.Account, Name: spec.Name,
		Queue: spec.Queue, State: hpc.JobAccepted, Wanted: true, Spec: spec, CommandLine: q.CommandLine,
		Priority: spec.Priority, NodeList: []string{}, Nodes: max(spec.Nodes, 1), Tasks: tasksOf(spec),
		Cores:  max(spec.Nodes, 1) * max(spec.Tasks, 1) * max(spec.Threads, 1),
		Stdout: spec.Stdout, Stderr: orElse(spec.Stderr, spec.Stdout), Submitted: now, Modified: now}
}

// ListJobs shows a page of a cluster's jobs, newest first, from the store alone.
func (s *Service) ListJobs(ctx context.Context, q *api.ListJobsRequest) (*api.ListJobsResponse, error) {
	if _, err := s.cluster(ctx, s.Store.Read(), q.ClusterId); err != nil {
		return nil, err
	}
	f := store.JobFilter{Owner: q.Owner, Finished: q.State == "finished", Open: q.State == "notfinish"}
	rows, total, err := s.jobs(ctx, q.ClusterId, f, nil, store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	around, err := s.around(ctx, q.ClusterId, rows...)
	if err != nil {
		return nil, err
	}
	a := &api.ListJobsResponse{TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize}
	for _, j := range rows {
		a.Jobs.JobInfo = append(a.Jobs.JobInfo, jobInfo(j, around))
	}
	return a, nil
}

// jobs reads a page of a cluster's jobs.
func (s *Service) jobs(ctx context.Context, clusterID string, f store.JobFilter, orders []store.JobOrder, page store.Page) (rows []*store.Job, total int, err error) {
	err = list(ctx, "jobs", clusterID, func(ctx context.Context) error {
		rows, total, err = s.Store.Jobs(ctx, clusterID, f, orders, time.Now(), page)
		return err
	})
	return rows, total, err
}

func jobInfo(j *store.Job, around jobsAround) api.ListJobsJobInfo {
	started, hosts := j.Started, j.NodeList
	if j.State == hpc.JobPending && j.Spec.Array == "" { // back in the queue: the row has its last run's
		started, hosts = time.Time{}, []string{}
	}
	nodes, _ := json.Marshal(hosts) // strings always marshal
	return api.ListJobsJobInfo{Id: j.PublicID, Name: j.Name, Owner: j.Owner, Priority: strconv.Itoa(j.Priority),
		State: string(j.State), NodeList: string(nodes), SubmitTime: jobStamp(j.Submitted), StartTime: jobStamp(started),
		LastModifyTime: jobStamp(j.Modified), Stdout: outputOf(j, j.Stdout), Stderr: outputOf(j, j.Stderr), Comment: around.comment(j),
		ArrayRequest: j.Spec.Array, ShellPath: "/bin/bash", Rerunable: j.Spec.Rerunable,
		Resources: &api.ListJobsResources{Nodes: j.Nodes, Cores: j.Cores}}
}

// outputOf is the file that a job's output goes to, the job's id in it. The files
// of an array's tasks stay a pattern, of the tasks' indexes.
func outputOf(j *store.Job, path string) string {
	id := orElse(j.SchedID, j.PublicID)
	if j.Spec.Array != "" {
		return strings.ReplaceAll(path, "%A", id)
	}
	return strings.NewReplacer("%j", id, "%A", id).Replace(path)
}

// jobStamp writes a time as the document's jobs do: UTC, without a zone.
func jobStamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}
