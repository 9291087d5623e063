package e2e

import (
	"strings"
	"testing"

	"ehpc/test/e2e/rig"
)

func testSbatch(t *testing.T, c *rig.Cluster) {
	c.AddAccount(t, "franklin", "users")
	awaitAccount(t, c, "franklin")
	printed := c.Shell(t, "login0", `su - franklin -c "sbatch -J byhand --wrap 'echo ran on \$(hostname) as \$(id -un)'"`)
	id, ok := strings.CutPrefix(printed, "Submitted batch job ")
	if !ok {
		t.Fatalf("sbatch says %q", printed)
	}
	rig.Until(t, "ListJobs shows the job", rig.ComeUp, func() bool {
		for _, job := range c.Jobs(t) {
			if job.Id == id {
				return true
			}
		}
		return false
	})
	job := c.AwaitJob(t, id, "COMPLETED")
	if job.Owner != "franklin" || job.Name != "byhand" {
		t.Errorf("ListJobs says of the job: %+v", job)
	}
	if got := c.Shell(t, "login0", "cat /home/franklin/slurm-"+id+".out"); got != "ran on compute000 as franklin" && got != "ran on compute001 as franklin" {
		t.Errorf("the job printed %q", got)
	}
}
