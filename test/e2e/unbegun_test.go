package e2e

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// TestAStartThatWasGivenUpIsNoCancel has a node that cannot start jobs, whose slurmd
// cancels them then, as it does on a machine that is overloaded.
func TestAStartThatWasGivenUpIsNoCancel(t *testing.T) {
	t.Parallel()
	k := newController(t)
	k.Shell(t, "compute000", "chmod -x /usr/sbin/slurmstepd")
	given := k.submit(t, "given", leave)
	rig.Until(t, "the job is submitted again", rig.ComeUp, func() bool {
		return slices.ContainsFunc(k.Logs(t), func(l api.ListClusterLogsLogInfo) bool {
			return l.Message == "a node could not start job "+given+", it is submitted again"
		})
	})
	k.Shell(t, "compute000", "chmod +x /usr/sbin/slurmstepd")
	k.AwaitJob(t, given, "COMPLETED")
	k.runs(t, map[string]int{"given": 1})
	k.Delete(t)
}

// TestACancelledStartRunsNothing cancels jobs whose scripts wait for their agent,
// which answers while Slurm still gives them time to end.
func TestACancelledStartRunsNothing(t *testing.T) {
	t.Parallel()
	k := newController(t)
	agent := k.Daemon(t, k.Node(t, "compute000").Id, "ehpc-agent")
	rig.Must(t, syscall.Kill(agent, syscall.SIGSTOP))
	root := k.submit(t, "root", leave)
	k.AwaitJob(t, root, "RUNNING")
	k.Inside(t, k.manager, "scancel "+root)
	k.AwaitJob(t, root, "CANCELLED")
	owner, stopped := k.submit(t, "owner", leave), k.submit(t, "stopped", leave)
	k.AwaitJob(t, owner, "RUNNING")
	k.AwaitJob(t, stopped, "RUNNING")
	k.Do(t, &api.StopJobsRequest{ClusterId: k.ID, Jobs: jobList(t, stopped)}, nil)
	k.Inside(t, k.manager, fmt.Sprintf(`su - lovelace -c "scancel %s"`, owner))
	rig.Must(t, syscall.Kill(agent, syscall.SIGCONT))
	k.AwaitJob(t, owner, "CANCELLED")
	k.AwaitJob(t, stopped, "CANCELLED")
	k.idle(t, "after")
	k.runs(t, map[string]int{"owner": 0, "stopped": 0, "root": 0, "after": 1})
	k.Delete(t)
}
