package e2e

import (
	"archive/tar"
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// TestQueuesAndWhatJobsBring is about what SubmitJob can ask for beyond a command.
func TestQueuesAndWhatJobsBring(t *testing.T) {
	t.Parallel()
	conf := filepath.Join(t.TempDir(), "ehpc.yaml")
	rig.Must(t, os.WriteFile(conf, []byte("input_files: {allow: [127.0.0.1/32]}\n"), 0o600))
	s := rig.StartWith(t, "--config", conf)
	c := s.Create(t, "queues", rig.Order{Mode: "Tiny", Computes: 1})
	ada := c.AddAccount(t, "lovelace", "users")
	awaitAccount(t, c, "lovelace")
	testQueue(t, c, ada)
	testInputFile(t, c, ada)
	testTasks(t, c, ada)
	testRerun(t, c, ada)
	c.Delete(t)
}

// partitions are the nodes as Slurm has them: "compute000 workq".
func partitions(t *testing.T, c *rig.Cluster) []string {
	t.Helper()
	lines := strings.Split(c.Shell(t, "manager", "sinfo --noheader --Node --format='%N %R'"), "\n")
	slices.Sort(lines)
	return lines
}

func testQueue(t *testing.T, c *rig.Cluster, ada rig.Account) {
	t.Helper()
	c.Do(t, &api.AddQueueRequest{ClusterId: c.ID, QueueName: "night"}, nil)
	for host, r := range c.Everywhere(t, "grep -c PartitionName=night /etc/slurm/partitions.conf") {
		if r.ExitCode != 0 {
			t.Errorf("%s does not know the queue", host)
		}
	}
	have := len(c.Nodes(t))
	c.Do(t, &api.AddNodesRequest{ClusterId: c.ID, Count: 1, JobQueue: "night"}, &api.AddNodesResponse{})
	rig.Until(t, "the queue's node is in service", rig.ComeUp, func() bool { return c.InService(t, have+1) })
	if got, want := partitions(t, c), []string{"compute000 workq", "compute001 night"}; !slices.Equal(got, want) {
		t.Errorf("Slurm has %v, want %v", got, want)
	}
	job := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: rig.Waiting, JobQueue: "night"})
	if ran := nodesOf(t, c.AwaitJob(t, job, "RUNNING")); !slices.Equal(ran, []string{"compute001"}) {
		t.Errorf("a job of the queue runs on %v", ran)
	}
	rig.Until(t, "the job has begun", rig.ComeUp, func() bool { return c.Try(t, "manager", "test -s /home/lovelace/started").ExitCode == 0 })

	begun := time.Now()
	q := &api.SetQueueRequest{ClusterId: c.ID, QueueName: "workq", Node: []api.SetQueueRequestNode{{Name: "compute001"}}}
	c.Do(t, q, nil)
	moved := []string{"compute000 workq", "compute001 workq"}
	rig.Until(t, "Slurm has moved the busy node", rig.ComeUp, func() bool { return slices.Equal(partitions(t, c), moved) })
	t.Logf("a busy node was moved within %s", time.Since(begun).Round(10*time.Millisecond))
	message := c.Refused(t, "ConflictOpt", &api.DeleteQueueRequest{ClusterId: c.ID, QueueName: "night"})
	if !strings.Contains(message, "QueueName") || !strings.Contains(message, "1 jobs") {
		t.Errorf("its deletion is refused with %q", message)
	}
	c.Shell(t, "manager", "s6-svc -wR -r /service/slurmctld")
	rig.Until(t, "a new controller has the node where it was moved", rig.ComeUp, func() bool { return slices.Equal(partitions(t, c), moved) })
	if state := c.Job(t, job).State; state != "RUNNING" {
		t.Errorf("the job on the moved node is %s", state)
	}
	c.Shell(t, "manager", "touch /home/lovelace/go")
	c.AwaitJob(t, job, "COMPLETED")
	if begun := c.Shell(t, "manager", "wc -l < /home/lovelace/started"); begun != "1" {
		t.Errorf("the job has begun %s times", begun)
	}
	both := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "true", Node: ptr(2)})
	if ran := nodesOf(t, c.AwaitJob(t, both, "COMPLETED")); !slices.Equal(ran, []string{"compute000", "compute001"}) {
		t.Errorf("a job over the default queue ran on %v", ran)
	}
	c.Do(t, &api.DeleteQueueRequest{ClusterId: c.ID, QueueName: "night"}, nil)
	if r := c.Try(t, "manager", "sinfo --noheader --format=%R | grep night"); r.ExitCode == 0 {
		t.Errorf("after its deletion Slurm has the queue: %s", r.Output)
	}
	var a api.ListQueuesResponse
	c.Do(t, &api.ListQueuesRequest{ClusterId: c.ID}, &a)
	if len(a.Queues.QueueInfo) != 1 || a.Queues.QueueInfo[0].QueueName != "workq" {
		t.Errorf("ListQueues has %+v", a.Queues.QueueInfo)
	}
}

func testInputFile(t *testing.T, c *rig.Cluster, ada rig.Account) {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	text := []byte("what was brought\n")
	rig.Must(t, w.WriteHeader(&tar.Header{Name: "in.txt", Mode: 0o600, Size: int64(len(text))}))
	_, err := w.Write(text)
	rig.Must(t, err)
	rig.Must(t, w.Close())
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(archive.Bytes()) }))
	defer files.Close()
	job := c.Submit(t, ada, &api.SubmitJobRequest{InputFileUrl: files.URL + "/runs/in.tar?signature=x", PackagePath: "brought",
		UnzipCmd: "tar xf in.tar", CommandLine: "cat in.txt", PostCmdLine: "rm in.tar; echo done"})
	c.AwaitJob(t, job, "COMPLETED")
	if got, want := taskLog(t, c, job), "what was brought\ndone\n"; got != want {
		t.Errorf("the job printed %q, want %q", got, want)
	}
	if got, want := c.Shell(t, "manager", "cd /home/lovelace/brought && stat -c '%n %U' in.*"), "in.txt lovelace"; got != want {
		t.Errorf("its directory has %q, want %q", got, want)
	}
	message := c.Refused(t, "InvalidParams", &api.SubmitJobRequest{ClusterId: c.ID, RunasUser: ada.Name, RunasUserPassword: ada.Password,
		CommandLine: "true", InputFileUrl: strings.Replace(files.URL, "127.0.0.1", "127.0.0.2", 1) + "/in.tar"})
	if !strings.Contains(message, "InputFileUrl") || !strings.Contains(message, "not a public address") {
		t.Errorf("another address of this machine is refused with %q", message)
	}
	failed := c.Submit(t, ada, &api.SubmitJobRequest{UnzipCmd: "tar xf none.tar", CommandLine: "echo ran"})
	if job := c.AwaitJob(t, failed, "FAILED"); job.Comment != "exit status 2" || strings.Contains(taskLog(t, c, failed), "ran") {
		t.Errorf("a job that could not unpack: %+v, it printed %q", job, taskLog(t, c, failed))
	}
}

func testTasks(t *testing.T, c *rig.Cluster, ada rig.Account) {
	t.Helper()
	for _, stdout := range []string{"", "tasks/", "tasks", "task-%a.txt"} {
		c.Shell(t, "manager", "su lovelace -c 'mkdir -p ~/tasks'")
		array := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "echo task $SLURM_ARRAY_TASK_ID in $(cat unpacked)", ArrayRequest: "2-6:2",
			UnzipCmd: "echo once >> unpacked", StdoutRedirectPath: stdout})
		c.AwaitJob(t, array, "COMPLETED")
		if got, want := taskLog(t, c, array+"_4"), "task 4 in once\n"; got != want {
			t.Errorf("with output to %q task 4 printed %q, want %q", stdout, got, want)
		}
		c.Shell(t, "manager", "rm /home/lovelace/unpacked")
	}
}

func taskLog(t *testing.T, c *rig.Cluster, job string) string {
	t.Helper()
	var a api.GetJobLogResponse
	c.Do(t, &api.GetJobLogRequest{ClusterId: c.ID, JobId: job}, &a)
	return a.OutputLog
}

func testRerun(t *testing.T, c *rig.Cluster, ada rig.Account) {
	t.Helper()
	failing := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "echo run >> runs; exit 3"})
	c.AwaitJob(t, failing, "FAILED")
	yes := true
	c.Shell(t, "manager", "su lovelace -c 'mkdir ~/again'")
	running := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: rig.Waiting, PackagePath: "again", ReRunable: &yes})
	c.AwaitJob(t, running, "RUNNING")
	starts := func(want string) func() bool {
		return func() bool { return c.Try(t, "manager", "wc -l < /home/lovelace/again/started").Output == want+"\n" }
	}
	rig.Until(t, "the job has begun", rig.ComeUp, starts("1"))
	c.Do(t, &api.RerunJobsRequest{ClusterId: c.ID, Jobs: `[{"Id":"` + failing + `"},{"Id":"` + running + `"}]`}, nil)
	rig.Until(t, "the job has begun anew", rig.ComeUp, starts("2"))
	rig.Until(t, "only the job that waits is left", rig.ComeUp, func() bool {
		return c.Shell(t, "manager", "squeue --noheader --format=%i | wc -l") == "1"
	})
	c.Shell(t, "manager", "touch /home/lovelace/again/go")
	rig.Until(t, "both have ended", rig.ComeUp, func() bool {
		return c.Job(t, running).State == "COMPLETED" && c.Job(t, failing).State == "FAILED"
	})
	if runs := c.Shell(t, "manager", "wc -l < /home/lovelace/runs; wc -l < /home/lovelace/again/started"); runs != "2\n2" {
		t.Errorf("the jobs have begun %q times", runs)
	}
	if got := taskLog(t, c, running); !strings.HasPrefix(got, "done on compute") {
		t.Errorf("the job that was run again printed %q", got)
	}
	listed := map[string]int{}
	for _, job := range c.Jobs(t) {
		listed[job.Id]++
	}
	if listed[running] != 1 || listed[failing] != 1 {
		t.Errorf("ListJobs has the jobs %v times", listed)
	}
}
