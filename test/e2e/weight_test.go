package e2e

import (
	"fmt"
	"strings"
	"testing"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// TestJobsWeighLessThanTheirNodesDaemons has a job keep more threads busy than its
// nodes have cores, and root use what it gets beside it, as daemons do.
func TestJobsWeighLessThanTheirNodesDaemons(t *testing.T) {
	t.Parallel()
	c := rig.Start(t).Create(t, "busy", rig.Order{Mode: "Tiny", Computes: 2, Compute: "ecs.n1.tiny"})
	ada := c.AddAccount(t, "lovelace", "users")
	const loop = "sh -c 'ulimit -t 600; while :; do :; done'"
	c.Put(t, ada, "busy.sh", "#!/bin/sh\n"+strings.Repeat(loop+" &\n", 4)+"echo \"$(hostname)\" >>begun\nwait\n")
	job := c.Submit(t, ada, &api.SubmitJobRequest{CommandLine: "srun sh busy.sh", Node: ptr(2)})
	rig.Until(t, "the job keeps both nodes busy", rig.ComeUp, func() bool { return len(c.Lines(t, "home", "lovelace", "begun")) == 2 })
	for _, host := range []string{"compute000", "compute001"} {
		rig.Until(t, "root gets more than the job on "+host, rig.ComeUp, func() bool {
			said := c.Shell(t, host, `job() { cat /proc/[0-9]*/stat 2>/dev/null | awk '$3 == "R" && $2 == "(sh)" { s += $14 + $15 } END { print s + 0 }'; }
before=$(job); TIMEFORMAT=%U; own=$( { time timeout 2 perl -e '1 while 1'; } 2>&1 ); echo "$own $before $(job)"`)
			var own float64 // seconds
			var before, after int
			if _, err := fmt.Sscan(said, &own, &before, &after); err != nil {
				t.Fatalf("%s tells %q: %v", host, said, err)
			}
			t.Logf("%s: root got %.2f s, the job %.2f s", host, own, float64(after-before)/100)
			return own > 2*float64(after-before)/100
		})
	}
	c.Do(t, &api.StopJobsRequest{ClusterId: c.ID, Jobs: jobList(t, job)}, nil)
	c.AwaitJob(t, job, "CANCELLED")
	c.Delete(t)
}
