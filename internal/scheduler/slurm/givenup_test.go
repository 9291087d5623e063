package slurm

import (
	"os"
	"path/filepath"
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

func TestWhoCancelledAJob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"@400000006745": "[2026-11-23T21:15:03.000] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=7 uid 0\n" +
			"[2026-11-23T21:15:03.000] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=12 uid 0\n",
		"current": "[2026-11-23T21:15:04.000] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=8 uid 20001\n" +
			"[2026-11-23T21:15:04.000] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=7 uid 20001\n" +
			"[2026-11-23T21:15:04.000] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=9 uid 0\n" +
			"[2026-11-23T21:15:04.000] _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=10_3 uid 0\n" +
			"[2026-11-23T21:15:04.000] sched: Allocate JobId=13 NodeList=a _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=13 uid 0 x\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	end := func(id, own, array string) scheduler.Job {
		return scheduler.Job{ID: id, Own: own, Array: array, Token: "ehpct", State: hpc.JobCancelled, Nodes: []string{"a"}}
	}
	ends := []scheduler.Job{end("7", "7", ""), end("8", "8", ""), end("9", "9", ""), end("10_3", "11", "10"), end("10_4", "12", "10"),
		end("13", "13", ""), end("14", "14", ""), end("9", "9", ""), end("9", "9", "")}
	ends[3].Task, ends[4].Task = "3", "4"
	ends[7].Nodes = nil              // it waited
	ends[8].State = hpc.JobCompleted // it ended by itself
	want := []bool{false, false, true, true, true, false, false, false, false}
	if err := (&client{log: dir}).markGivenUp(ends); err != nil {
		t.Fatal(err)
	}
	for i, e := range ends {
		if e.GivenUp != want[i] {
			t.Errorf("end %d, of job %s: given up %t, want %t", i, e.ID, e.GivenUp, want[i])
		}
	}
	if err := (&client{log: dir + "/none"}).markGivenUp(ends); err != nil {
		t.Errorf("without a log: %v", err)
	}
}
