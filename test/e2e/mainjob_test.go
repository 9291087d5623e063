package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

const lammps = "../../examples/lammps/"

func TestTheMainJob(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	c := s.Create(t, "lab", rig.Order{Managers: 1, Logins: 1, Computes: 2})
	ada := c.AddAccount(t, "lovelace", "users")
	c.Put(t, ada, "melt/in.melt", read(t, lammps+"in.melt"))
	c.Put(t, ada, "melt/melt.sh", read(t, lammps+"melt.sh"))

	id := c.Submit(t, ada, &api.SubmitJobRequest{Name: "melt", CommandLine: "bash melt.sh", PackagePath: "melt", Node: ptr(2)})
	job := c.AwaitJob(t, id, "COMPLETED")
	if !slices.Equal(nodesOf(t, job), []string{"compute000", "compute001"}) || job.Owner != "lovelace" || job.Name != "melt" || job.StartTime == "" {
		t.Errorf("ListJobs says of the job: %+v", job)
	}
	output := c.Shell(t, "login0", "cat "+job.Stdout)
	checkPhysics(t, output)

	traces := c.Traces(t)
	if len(traces.Links) != 5 || len(traces.Nets) != 4 {
		t.Errorf("the cluster should have a bridge and four nodes on the host: %+v", traces)
	}
	c.Delete(t)
	for _, left := range append(traces.Left(), append(s.Machines(t), s.Containers(t)...)...) {
		t.Errorf("still there after the cluster: %s", left)
	}
	s.Refused(t, "ClusterNotFound", &api.DeleteClusterRequest{ClusterId: c.ID})
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	rig.Must(t, err)
	return string(text)
}

func checkPhysics(t *testing.T, output string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "out.txt")
	rig.Must(t, os.WriteFile(file, []byte(output), 0o600))
	if out, err := exec.CommandContext(t.Context(), lammps+"check.sh", file).CombinedOutput(); err != nil {
		t.Errorf("the physics is wrong: %v\n%s\nof the output\n%s", err, out, output)
	}
}
