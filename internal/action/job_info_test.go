package action

import (
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// A job that was put back into the queue waits, wherever it ran before.
func TestAJobThatWaitsAgainIsOnNoNode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, array string
		state       hpc.JobState
		on          string
		started     bool
	}{
		{"one that runs is on its nodes", "", hpc.JobRunning, `["compute000"]`, true},
		{"one that has ended was", "", hpc.JobCompleted, `["compute000"]`, true},
		{"one that waits again is on none", "", hpc.JobPending, `[]`, false},
		{"an array whose first tasks have ended has begun", "1-4", hpc.JobPending, `["compute000"]`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := &store.Job{State: c.state, Started: time.Now(), NodeList: []string{"compute000"}, Spec: hpc.JobSpec{Array: c.array}}
			if i := jobInfo(j, jobsAround{}); i.NodeList != c.on || (i.StartTime != "") != c.started {
				t.Errorf("it is on %s since %q", i.NodeList, i.StartTime)
			}
		})
	}
}
