package slurm

import (
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// A run that begins on a node that was made anew must not be ended by what Slurm
// still has to tell the one that died.
func TestAJobOfADeadNodeStartsOnceNobodyIsToldToEndItAnyMore(t *testing.T) {
	t.Parallel()
	down := time.Unix(1_000_000, 0)
	queue := []scheduler.Job{{ID: "1", State: hpc.JobPending, Reason: "BeginTime", Restarts: 1}, {ID: "2", State: hpc.JobPending, Reason: "BeginTime"}}
	var r requeued
	r.add(down.Add(callsOff), []scheduler.Job{{ID: "1", Nodes: []string{"a", "b"}}, {ID: "2", Nodes: []string{"b"}}}, "a")
	for _, c := range []struct {
		after time.Duration
		want  []string
	}{{time.Second, nil}, {callsOff - 1, nil}, {callsOff, []string{"1"}}, {callsOff, nil}} {
		if got := r.due(down.Add(c.after), queue); !slices.Equal(got, c.want) {
			t.Errorf("after %s %v may start, want %v", c.after, got, c.want)
		}
	}
}
