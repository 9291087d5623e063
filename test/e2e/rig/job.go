package rig

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"
	"time"

	"ehpc/api"
)

// Account is whom things are done as.
type Account struct{ Name, Password string }

// Password is good enough for every account of a test.
const Password = "Melt+100%*~=&"

// AddAccount adds an account of the group.
func (c *Cluster) AddAccount(t testing.TB, name, group string) Account {
	t.Helper()
	c.Do(t, &api.AddUsersRequest{ClusterId: c.ID,
		User: []api.AddUsersRequestUser{{Name: name, Group: group, Password: Password}}}, nil)
	return Account{name, Password}
}

// Put writes a file as the account.
func (c *Cluster) Put(t testing.TB, as Account, path, content string) {
	t.Helper()
	c.Do(t, FileRequest(c, as, path, content), nil)
}

// FileRequest asks for a file to be written as the account.
func FileRequest(c *Cluster, as Account, path, content string) *api.CreateJobFileRequest {
	return &api.CreateJobFileRequest{ClusterId: c.ID, TargetFile: path, Content: content,
		RunasUser: as.Name, RunasUserPassword: as.Password}
}

// Submit submits a job as the account; q may say more than the command line.
func (c *Cluster) Submit(t testing.TB, as Account, q *api.SubmitJobRequest) (jobID string) {
	t.Helper()
	q.ClusterId, q.RunasUser, q.RunasUserPassword = c.ID, as.Name, as.Password
	var a api.SubmitJobResponse
	c.Do(t, q, &a)
	return a.JobId
}

// Jobs are the cluster's jobs.
func (c *Cluster) Jobs(t testing.TB) []api.ListJobsJobInfo {
	t.Helper()
	var a api.ListJobsResponse
	c.Do(t, &api.ListJobsRequest{ClusterId: c.ID, PageSize: 50}, &a)
	return a.Jobs.JobInfo
}

// JobsSince are the cluster's jobs that were submitted at that time or later.
func (c *Cluster) JobsSince(t testing.TB, from time.Time) []api.ListJobsWithFiltersJobs {
	t.Helper()
	var all []api.ListJobsWithFiltersJobs
	for page := 1; ; page++ {
		var a api.ListJobsWithFiltersResponse
		c.Do(t, &api.ListJobsWithFiltersRequest{ClusterId: c.ID, PageSize: 500, PageNumber: page,
			CreateTimeStart: strconv.FormatInt(from.Unix(), 10)}, &a)
		all = append(all, a.Jobs...)
		if len(a.Jobs) == 0 || len(all) >= a.TotalCount {
			return all
		}
	}
}

// Details is what DescribeJob tells of a job.
type Details struct {
	api.ListJobsJobInfo
	Queue, CommandLine, EndTime string
	ExitCode, Restarts          int
	Used                        *Used
}

// Used is what a job used, nil while that is not known.
type Used struct {
	CpuTime   float64  // seconds
	MaxMemory int64    // bytes
	Energy    *float64 // joules
	Nodes     int
}

// Describe asks for everything about a job.
func (c *Cluster) Describe(t testing.TB, id string) Details {
	t.Helper()
	var a api.DescribeJobResponse
	c.Do(t, &api.DescribeJobRequest{ClusterId: c.ID, JobId: id}, &a)
	jobs := map[string]Details{}
	Must(t, json.Unmarshal([]byte(a.Message.JobInfo), &jobs))
	return jobs[id]
}

// Ended tells whether a job in this state never runs again.
func Ended(state string) bool { return slices.Contains(ended, state) }

// Job is what ListJobs says of a job.
func (c *Cluster) Job(t testing.TB, id string) api.ListJobsJobInfo {
	t.Helper()
	jobs := c.Jobs(t)
	i := slices.IndexFunc(jobs, func(j api.ListJobsJobInfo) bool { return j.Id == id })
	if i < 0 {
		t.Fatalf("cluster %s has no job %s", c.ID, id)
	}
	return jobs[i]
}

// AwaitJob waits until the job is in the state. A job that ended otherwise ends
// the test.
func (c *Cluster) AwaitJob(t testing.TB, id, state string) api.ListJobsJobInfo {
	t.Helper()
	deadline, tick := time.After(jobLimit), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		job := c.Job(t, id)
		if job.State == state {
			return job
		}
		if slices.Contains(ended, job.State) {
			t.Fatalf("job %s is %s (%s), not %s; %s", id, job.State, job.Comment, state, c.evidence(t, job))
		}
		select {
		case <-deadline:
			t.Fatalf("job %s is %s (%s) and not %s after %s; %s", id, job.State, job.Comment, state, jobLimit, c.evidence(t, job))
		case <-tick.C:
		}
	}
}

// evidence is what a cluster tells of a job that did not do what it should.
func (c *Cluster) evidence(t testing.TB, job api.ListJobsJobInfo) string {
	t.Helper()
	return "its output, the scheduler's view, its records and its log:\n" + c.Try(t, "manager", "tail -n 20 "+job.Stdout+
		"; squeue --all; sinfo --all; tail -n 10 /ehpc/state/slurm/jobcomp.log; tail -n 60 /var/log/ehpc/slurmctld/current").Output
}

// jobLimit is how long a job of a test may take to come into a state.
const jobLimit = 5 * time.Minute

var ended = []string{"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}

// Waiting is a script that notes each of its starts in the file "started" of
// its directory and then waits for the file "go" there.
const Waiting = `echo "$(hostname) ${SLURM_RESTART_COUNT:-0} $$" >> started
until [ -e go ]; do sleep 0.1; done
echo "done on $(hostname)"`
