package action

import (
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

func TestAnEndedJobSaysWhyItDidNotComplete(t *testing.T) {
	t.Parallel()
	for want, j := range map[string]store.Job{
		"":                {State: hpc.JobCompleted, Reason: "COMPLETED"},
		"Priority":        {State: hpc.JobPending, Reason: "Priority"},
		"exit status 7":   {State: hpc.JobFailed, Reason: "FAILED", ExitCode: 7},
		"its node failed": {State: hpc.JobNodeFail, Reason: "NODE_FAIL"},
		"its node failed: its machine is taken back": {State: hpc.JobNodeFail, Reason: "its node failed: its machine is taken back"},
		"exit status 137: it was killed on compute000 and may not be run again": {State: hpc.JobFailed, ExitCode: 137,
			Reason: "it was killed on compute000 and may not be run again"},
		"the scheduler has lost it": {State: hpc.JobFailed, Reason: "the scheduler has lost it"},
	} {
		if got := comment(&j); got != want {
			t.Errorf("a job that is %s (%s, %d) says %q, want %q", j.State, j.Reason, j.ExitCode, got, want)
		}
	}
}
