package slurm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

func TestWhoCancelledAJob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const kill, refused = "slurmctld: _slurm_rpc_kill_job: REQUEST_KILL_JOB JobId=%s uid %d\n",
		"slurmctld: _slurm_rpc_requeue: Requeue of JobId=%s returned an error: Requested operation is presently disabled\n"
	node := func(id string) string { return fmt.Sprintf(refused+kill, id, id, 0) } // gives a start up
	by := func(id string, uid int) string { return fmt.Sprintf(kill, id, uid) }    // asks for the end
	for name, text := range map[string]string{
		"@400000006745": node("7") + by("12", 20001) + fmt.Sprintf(refused, "17"),
		"current": by("8", 20001) + by("7", 20001) + node("9") + by("10_3", 0) + node("15") + by("16", 0) + by("17", 0) +
			"slurmctld: sched: Allocate JobId=13 NodeList=a " + by("13", 0) +
			"[2026-11-23T21:15:04.000] " + strings.TrimPrefix(fmt.Sprintf(refused, "18"), "slurmctld: ") +
			"[2026-11-23T21:15:04.000] " + strings.TrimPrefix(by("18", 0), "slurmctld: ") +
			"slurmctld: error: invalid partition specified: " + node("19"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	end := func(id, own, array string) scheduler.Job {
		return scheduler.Job{ID: id, Own: own, Array: array, Token: "ehpct", State: hpc.JobCancelled, Nodes: []string{"a"}}
	}
	ends := []scheduler.Job{end("7", "7", ""), end("8", "8", ""), end("9", "9", ""), end("10_3", "11", "10"), end("10_4", "15", "10"),
		end("13", "13", ""), end("14", "14", ""), end("9", "9", ""), end("9", "9", ""), end("16", "16", ""), end("17", "17", ""),
		end("18", "18", ""), end("19", "19", "")}
	ends[3].Task, ends[4].Task = "3", "4"
	ends[7].Nodes = nil              // it waited
	ends[8].State = hpc.JobCompleted // it ended by itself
	want := []bool{false, false, true, false, true, false, false, false, false, false, true, true, false}
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
