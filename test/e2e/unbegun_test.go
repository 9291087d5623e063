package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// TestAStartThatWasGivenUpIsNoCancel has jobs on their node whose scripts have not
// begun, as on a machine that is overloaded, and cancels one as slurmd does which
// gives a start up, and one as its owner.
func TestAStartThatWasGivenUpIsNoCancel(t *testing.T) {
	t.Parallel()
	k := newController(t)
	agent := k.Daemon(t, k.Node(t, "compute000").Id, "ehpc-agent")
	rig.Must(t, syscall.Kill(agent, syscall.SIGSTOP)) // of which scripts claim their runs
	given, owned := k.submit(t, "given", leave), k.submit(t, "owned", leave)
	k.AwaitJob(t, given, "RUNNING")
	k.AwaitJob(t, owned, "RUNNING")
	k.Inside(t, k.manager, "scancel "+given)
	k.Inside(t, k.manager, fmt.Sprintf(`su - lovelace -c "scancel %s"`, owned))
	k.AwaitJob(t, owned, "CANCELLED")
	rig.Until(t, "the job is submitted again", rig.ComeUp, func() bool {
		return slices.ContainsFunc(k.Logs(t), func(l api.ListClusterLogsLogInfo) bool {
			return l.Message == "a node could not start job "+given+", it is submitted again"
		})
	})
	rig.Until(t, "the first starts are off their node", rig.ComeUp, func() bool {
		queue := k.Inside(t, k.manager, "squeue --noheader --all --format='%i %T'")
		return !strings.Contains(queue, "COMPLETING")
	})
	rig.Must(t, syscall.Kill(agent, syscall.SIGCONT))
	k.AwaitJob(t, given, "COMPLETED")
	k.runs(t, map[string]int{"given": 1, "owned": 0})
	k.Delete(t)
}

// TestACancelledStartRunsNothing cancels jobs whose scripts wait for their agent,
// which answers while Slurm still gives them time to end.
func TestACancelledStartRunsNothing(t *testing.T) {
	t.Parallel()
	k := newController(t)
	agent := k.Daemon(t, k.Node(t, "compute000").Id, "ehpc-agent")
	rig.Must(t, syscall.Kill(agent, syscall.SIGSTOP))
	owner, stopped := k.submit(t, "owner", leave), k.submit(t, "stopped", leave)
	k.AwaitJob(t, owner, "RUNNING")
	k.AwaitJob(t, stopped, "RUNNING")
	k.Do(t, &api.StopJobsRequest{ClusterId: k.ID, Jobs: jobList(t, stopped)}, nil)
	k.Inside(t, k.manager, fmt.Sprintf(`su - lovelace -c "scancel %s"`, owner))
	rig.Must(t, syscall.Kill(agent, syscall.SIGCONT))
	k.AwaitJob(t, owner, "CANCELLED")
	k.AwaitJob(t, stopped, "CANCELLED")
	k.idle(t, "after")
	k.runs(t, map[string]int{"owner": 0, "stopped": 0, "after": 1})
	k.Delete(t)
}
