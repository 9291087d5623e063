package e2e

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// ending is how a job ends, and what must be told of it then.
type ending struct {
	job     api.SubmitJobRequest
	meddle  func(*testing.T, *controller, string) // what is done to it meanwhile, nil for nothing
	state   string
	status  int    // its exit status
	comment string // a part of what is said of it
	never   bool   // it does not start
	least   time.Duration
	stdout  string // where its output goes, with ID for its id
	stderr  string // the same, "" for as stdout
	prints  string // what stands there in the end
}

// ends are the jobs that need nothing but the cluster.
var ends = map[string]ending{
	"finished": {job: api.SubmitJobRequest{CommandLine: "sleep 1; echo out; echo err >&2", PackagePath: "work"},
		state: "COMPLETED", least: time.Second, stdout: "work/slurm-ID.out", prints: "out\nerr\n"},
	"finished with outputs of its own": {job: api.SubmitJobRequest{CommandLine: "echo out; echo err >&2",
		StdoutRedirectPath: "work/%j.o", StderrRedirectPath: "work/x.e"},
		state: "COMPLETED", stdout: "work/ID.o", stderr: "work/x.e", prints: "out\n"},
	"failed": {job: api.SubmitJobRequest{CommandLine: "echo bad; exit 7"},
		state: "FAILED", status: 7, comment: "exit status 7", stdout: "slurm-ID.out", prints: "bad\n"},
	"killed by a signal of its own": {job: api.SubmitJobRequest{CommandLine: "echo now; kill -SEGV $$"},
		state: "FAILED", status: 128 + 11, comment: "exit status 139", stdout: "slurm-ID.out", prints: "now\n"},
	"output into a missing directory": {job: api.SubmitJobRequest{CommandLine: "echo never >> names", StdoutRedirectPath: "missing-%j/out"},
		state: "FAILED", status: 181, comment: "directory", stdout: "missing-ID/out"},
	"over its memory": {job: api.SubmitJobRequest{CommandLine: "head -c 400000000 /dev/zero | tail", Mem: "60MB"},
		state: "OUT_OF_MEMORY", status: 128 + 9, comment: "exit status 137", stdout: "slurm-ID.out"},
	"over its time": {job: api.SubmitJobRequest{CommandLine: "echo begun; sleep 300", ClockTime: "00:00:10"},
		state: "TIMEOUT", least: 10 * time.Second, stdout: "slurm-ID.out"},
	"stopped while it runs": {job: api.SubmitJobRequest{CommandLine: "echo begun; sleep 300"}, meddle: stopRunning,
		state: "CANCELLED", stdout: "slurm-ID.out"},
	"an array that is good": {job: api.SubmitJobRequest{CommandLine: "echo task $SLURM_ARRAY_TASK_ID", ArrayRequest: "1-5:2"},
		state: "COMPLETED", stdout: "slurm-ID_%a.out"},
	"an array with one that fails": {job: api.SubmitJobRequest{CommandLine: "test $SLURM_ARRAY_TASK_ID != 2", ArrayRequest: "1-3"},
		state: "FAILED", status: 1, comment: "exit status 1", stdout: "slurm-ID_%a.out"},
}

func stopRunning(t *testing.T, k *controller, id string) {
	k.AwaitJob(t, id, "RUNNING")
	k.Do(t, &api.StopJobsRequest{ClusterId: k.ID, Jobs: jobList(t, id)}, nil)
}

// TestWhatIsToldOfAJobIsTrue has jobs end in every way there is, and looks at
// what each of the three actions that show jobs tells of them.
func TestWhatIsToldOfAJobIsTrue(t *testing.T) {
	t.Parallel()
	c := rig.Start(t).Create(t, "lab", rig.Order{Mode: "Tiny", Computes: 2, Compute: "ecs.n1.medium"})
	k := &controller{c, c.Node(t, "manager").Id, c.AddAccount(t, "lovelace", "users")}
	k.Inside(t, k.manager, "until [ -d /home/lovelace ]; do sleep 0.1; done; su - lovelace -c 'mkdir work'")
	// One after the other: the names of subtests that run side by side on one
	// processor count as parallel tests, and these only wait.
	jobs := map[string]told{}
	for name, e := range ends {
		jobs[name] = k.begin(t, e)
	}
	for name, e := range ends {
		t.Run(name, func(t *testing.T) { k.check(t, e, jobs[name]) })
	}
	t.Run("held by its owner, and stopped before its start", func(t *testing.T) { testHeld(t, k) })
	t.Run("on a node that dies", func(t *testing.T) { testNodeDies(t, k) })
	k.Delete(t)
}

// told is a job whose end is awaited.
type told struct {
	id    string
	begun time.Time
}

func (k *controller) begin(t *testing.T, e ending) told {
	t.Helper()
	begun := time.Now()
	q := e.job
	return told{k.Submit(t, k.ada, &q), begun}
}

// check waits for a job's end and looks at everything that is told of it.
func (k *controller) check(t *testing.T, e ending, j told) {
	t.Helper()
	if e.meddle != nil {
		e.meddle(t, k, j.id)
	}
	rig.Until(t, "the job has ended", 3*settleLimit, func() bool { return rig.Ended(k.Describe(t, j.id).State) })
	job := k.Describe(t, j.id)
	if job.State != e.state || job.ExitCode != e.status || !strings.Contains(job.Comment, e.comment) || e.status == 0 && e.comment == "" && job.Comment != "" {
		t.Errorf("it is %s with exit status %d (%q), want %s with %d (%q)\n%s", job.State, job.ExitCode, job.Comment, e.state, e.status, e.comment,
			k.Evidence(t, k.manager, job.Name, j.id))
	}
	k.checkTimes(t, e, j, job)
	k.checkOutputs(t, e, j, job)
	k.sameEverywhere(t, j, job)
}

// checkTimes checks when and where it says to have run.
func (k *controller) checkTimes(t *testing.T, e ending, j told, job rig.Details) {
	t.Helper()
	var nodes []string
	rig.Must(t, json.Unmarshal([]byte(job.NodeList), &nodes))
	submitted, started, ended := stamp(t, job.SubmitTime), stamp(t, job.StartTime), stamp(t, job.EndTime)
	now, begun := time.Now(), j.begun.Truncate(time.Second)
	if submitted.Before(begun) || submitted.After(begun.Add(time.Minute)) || ended.After(now) || ended.Before(submitted) {
		t.Errorf("it was submitted at %s and ended at %s, it says: submitted %s, started %s, ended %s", begun, now, submitted, started, ended)
	}
	if e.never {
		if !started.IsZero() || len(nodes) != 0 {
			t.Errorf("it never started, and says to have started %s on %v", started, nodes)
		}
		return
	}
	if started.Before(submitted) || ended.Before(started) || ended.Sub(started) < e.least-time.Second {
		t.Errorf("it ran at least %s, it says: submitted %s, started %s, ended %s", e.least, submitted, started, ended)
	}
	if len(nodes) == 0 || e.job.ArrayRequest == "" && len(nodes) != 1 || slices.ContainsFunc(nodes, func(n string) bool { return n != "compute000" && n != "compute001" }) {
		t.Errorf("it says to have run on %v", nodes)
	}
}

// stamp reads a time as jobs have it; none is the zero time.
func stamp(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse("2006-01-02T15:04:05", text)
	rig.Must(t, err)
	return at
}

// checkOutputs checks where it says that its output is, and the output there.
func (k *controller) checkOutputs(t *testing.T, e ending, j told, job rig.Details) {
	t.Helper()
	at := func(p string) string {
		return path.Join("/home/lovelace", strings.ReplaceAll(p, "ID", j.id))
	}
	stdout, stderr := at(e.stdout), at(e.stderr)
	if e.stderr == "" {
		stderr = stdout
	}
	if job.Stdout != stdout || job.Stderr != stderr {
		t.Errorf("it says that its output is in %q and %q, want %q and %q", job.Stdout, job.Stderr, stdout, stderr)
	}
	if e.prints == "" {
		return
	}
	if got := k.Inside(t, k.manager, "cat "+stdout); got+"\n" != e.prints {
		t.Errorf("its output is %q, want %q", got, e.prints)
	}
}

// sameEverywhere checks that the listings tell the same as the description.
func (k *controller) sameEverywhere(t *testing.T, j told, job rig.Details) {
	t.Helper()
	if listed := k.Job(t, j.id); listed.Resources == nil || *listed.Resources != *job.Resources {
		t.Errorf("ListJobs tells of %+v, DescribeJob of %+v", listed.Resources, job.Resources)
	} else if listed.Resources = job.Resources; listed != job.ListJobsJobInfo {
		t.Errorf("ListJobs tells\n%+v, DescribeJob\n%+v", listed, job.ListJobsJobInfo)
	}
	f := byID(k.JobsSince(t, j.begun))[j.id]
	same := api.ListJobsJobInfo{ArrayRequest: f.ArrayRequest, Comment: f.Comment, Id: f.Id, LastModifyTime: f.LastModifyTime, Name: f.Name,
		NodeList: f.NodeList, Owner: f.Owner, Priority: f.Priority, Rerunable: f.Rerunable, ShellPath: f.ShellPath, StartTime: f.StartTime,
		State: f.State, Stderr: f.Stderr, Stdout: f.Stdout, SubmitTime: f.SubmitTime, Resources: job.Resources}
	if same != job.ListJobsJobInfo || f.Queue != job.Queue {
		t.Errorf("ListJobsWithFilters tells\n%+v, DescribeJob\n%+v", same, job.ListJobsJobInfo)
	}
}

// testHeld holds a job on the login node, as its owner, while another one has all cores.
func testHeld(t *testing.T, k *controller) {
	k.hold(t)
	busy := k.submit(t, "busy", enter+leave, onAllCores, func(q *api.SubmitJobRequest) { q.Node = ptr(2) })
	k.AwaitJob(t, busy, "RUNNING")
	stopped := ending{job: api.SubmitJobRequest{CommandLine: "echo never >> names", Name: "stopped"}, state: "CANCELLED", never: true, stdout: "slurm-ID.out"}
	stop := k.begin(t, stopped)
	held := ending{job: api.SubmitJobRequest{CommandLine: "echo held", Name: "held"}, state: "COMPLETED", stdout: "slurm-ID.out", prints: "held\n"}
	hold := k.begin(t, held)
	k.AwaitJob(t, stop.id, "PENDING")
	rig.Until(t, "the job is released", settleLimit, func() bool {
		reason, err := k.TryInside(t, k.manager, "squeue --noheader --format=%r --jobs="+hold.id)
		return err == nil && !strings.HasPrefix(reason, "JobHeld")
	})
	k.Inside(t, k.manager, "su - lovelace -c 'scontrol hold "+hold.id+"'")
	rig.Until(t, "the job is shown as held", settleLimit, func() bool { return strings.Contains(k.Job(t, hold.id).Comment, "(JobHeld") })
	k.Do(t, &api.StopJobsRequest{ClusterId: k.ID, Jobs: jobList(t, stop.id)}, nil)
	k.check(t, stopped, stop)
	k.let(t)
	k.final(t, "busy", busy, "COMPLETED")
	k.final(t, "later", k.submit(t, "later", leave), "COMPLETED")
	if job := k.Describe(t, hold.id); job.State != "PENDING" || job.StartTime != "" || job.EndTime != "" || job.NodeList != "[]" {
		t.Errorf("the held job is %+v", job)
	}
	k.Inside(t, k.manager, "su - lovelace -c 'scontrol release "+hold.id+"'")
	k.check(t, held, hold)
	k.runs(t, map[string]int{"never": 0})
}

// testNodeDies kills the nodes under a job that may be rerun and one that may not.
func testNodeDies(t *testing.T, k *controller) {
	k.hold(t)
	again := ending{job: api.SubmitJobRequest{CommandLine: strings.ReplaceAll(enter+"echo done", "NAME", "again"), Name: "again", ReRunable: ptr(true)},
		state: "COMPLETED", stdout: "slurm-ID.out"}
	never := ending{job: api.SubmitJobRequest{CommandLine: strings.ReplaceAll(enter+"echo done", "NAME", "never"), Name: "never"},
		state: "NODE_FAIL", comment: "node", stdout: "slurm-ID.out"}
	a, n := k.begin(t, again), k.begin(t, never)
	k.startedIn(t, "again", 1)
	k.startedIn(t, "never", 1)
	hosts := append(nodesOf(t, k.AwaitJob(t, a.id, "RUNNING")), nodesOf(t, k.AwaitJob(t, n.id, "RUNNING"))...)
	slices.Sort(hosts)
	for _, host := range slices.Compact(hosts) {
		kill(t, k.Cluster, host)
	}
	k.startedIn(t, "again", 2)
	k.let(t)
	k.check(t, again, a)
	k.check(t, never, n)
	if job := k.Describe(t, a.id); job.Restarts != 1 {
		t.Errorf("the job that ran again counts %d restarts", job.Restarts)
	}
	if starts := k.Count(t, "home", "lovelace", "starts"); starts["again"] != 2 || starts["never"] != 1 {
		t.Errorf("the jobs have started %d and %d times", starts["again"], starts["never"])
	}
}
