package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ehpc/api"
	"ehpc/internal/store/pgtest"
	"ehpc/test/e2e/rig"
)

// TestAServiceThatLostItsStoreGoesOnFromABackup makes a backup while jobs run,
// loses the store and starts from the backup: nodes and jobs have not noticed.
func TestAServiceThatLostItsStoreGoesOnFromABackup(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	c := s.Create(t, "lab", rig.Order{Managers: 1, Computes: 2})
	ada := c.AddAccount(t, "lovelace", "users")
	long := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: rig.Waiting, Name: "long"})
	c.AwaitJob(t, long, "RUNNING")
	short := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "until [ -e short ]; do sleep 0.1; done; exit 3", Name: "short"})
	c.AwaitJob(t, short, "RUNNING")
	before := machines(t, c)

	file := filepath.Join(t.TempDir(), "backup")
	rig.Run(t, "backup", file, "--data", s.Dir)

	c.Shell(t, "manager", "touch /home/lovelace/short")
	c.AwaitJob(t, short, "FAILED")
	later := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "echo $SLURM_JOB_ID >> later; until [ -e go ]; do sleep 0.1; done", Name: "later"})
	c.AwaitJob(t, later, "RUNNING")

	s.Kill()
	for _, name := range []string{"ehpc.db", "ehpc.db-wal", "ehpc.db-shm"} {
		if err := os.Remove(filepath.Join(s.Dir, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	rig.Run(t, "restore", file, "--data", s.Dir)
	s.Restart(t)

	c.AwaitJob(t, long, "RUNNING")
	c.AwaitJob(t, short, "FAILED")
	rig.Until(t, "the job that the backup does not know is listed", rig.ComeUp, func() bool {
		return slices.ContainsFunc(c.Jobs(t), func(j api.ListJobsJobInfo) bool { return j.Id == later && j.State == "RUNNING" })
	})
	c.Shell(t, "manager", "touch /home/lovelace/go")
	c.AwaitJob(t, long, "COMPLETED")
	c.AwaitJob(t, later, "COMPLETED")
	for name, want := range map[string]string{"started": "1", "later": "1"} {
		if got := c.Shell(t, "manager", "wc -l < /home/lovelace/"+name); got != want {
			t.Errorf("%s has %s lines, want %s", name, got, want)
		}
	}
	if after := machines(t, c); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("running nodes were touched: their machines are %v, they were %v", after, before)
	}
	c.Delete(t)
}

// TestAServiceOnPostgreSQL is a whole life of a cluster on a configured service,
// which is killed while a job runs.
func TestAServiceOnPostgreSQL(t *testing.T) {
	t.Parallel()
	s := rig.StartOn(t, pgtest.Own(t).Schema(t))
	c := s.Create(t, "lab", rig.Order{Managers: 1, Computes: 1})
	ada := c.AddAccount(t, "lovelace", "users")
	job := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: rig.Waiting, Name: "long"})
	c.AwaitJob(t, job, "RUNNING")
	s.Kill()
	s.Restart(t)
	c.Add(t, 1)
	c.Shell(t, "manager", "touch /home/lovelace/go")
	c.AwaitJob(t, job, "COMPLETED")
	if got := c.Shell(t, "manager", "wc -l < /home/lovelace/started"); got != "1" {
		t.Errorf("the job has started %s times", got)
	}
	c.Delete(t)
}
