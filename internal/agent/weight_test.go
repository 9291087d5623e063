package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ehpc/internal/hpc"
)

// machine is a root directory with control groups and processes; the keys are files,
// and the processes are of an account unless their id is below 100.
func machine(t *testing.T, files map[string]string, processes map[int]string) string {
	t.Helper()
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range files {
		write(filepath.Join(root, "sys/fs/cgroup", path), text)
	}
	for pid, group := range processes {
		dir := filepath.Join(root, "proc", fmt.Sprint(pid))
		write(filepath.Join(dir, "cgroup"), group)
		if pid >= 100 {
			if err := os.Chown(dir, hpc.FirstUID+1, hpc.FirstUID+1); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func TestPeoplesProcessesWeighLess(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, to make processes of accounts")
	}
	slurms := []string{"slurm_*/uid_*/job_*", "*/*slurmstepd.scope/job_*"}
	for _, c := range []struct {
		name   string
		groups map[string]string // what there is
		of     string            // the group of process 100
		want   map[string]string // what is written
		none   []string          // what is not
	}{
		{"in a group for them, where there is one hierarchy for each controller",
			map[string]string{"cpu/cpu.shares": "1024", "cpu/ehpc-people/cpu.shares": "1024"},
			"8:memory:/slurm_a/uid_1/job_1\n1:cpu:/\n0::/\n",
			map[string]string{"cpu/ehpc-people/cpu.shares": "102", "cpu/ehpc-people/cgroup.procs": "100"}, nil},
		{"once",
			map[string]string{"cpu/cpu.shares": "1024", "cpu/ehpc-people/cpu.shares": "102", "cpu/ehpc-people/cgroup.procs": ""},
			"1:cpu:/ehpc-people\n",
			map[string]string{"cpu/ehpc-people/cgroup.procs": ""}, nil},
		{"with their job's group, where that is one for processor time",
			map[string]string{"cpu,cpuacct/cpu.shares": "1024", "cpu,cpuacct/slurm_a/cpu.shares": "1024"},
			"1:cpuacct,cpu:/slurm_a/uid_1/job_1/step_0\n",
			map[string]string{"cpu,cpuacct/slurm_a/cpu.shares": "102"}, []string{"cpu,cpuacct/ehpc-people"}},
		{"of version 2, and what is beside jobs there does not",
			map[string]string{"cgroup.controllers": "cpu", "system.slice/cpu.weight": "100", "system.slice/a_slurmstepd.scope/cpu.weight": "100"},
			"0::/system.slice/a_slurmstepd.scope/job_1/step_0\n",
			map[string]string{"system.slice/a_slurmstepd.scope/cpu.weight": "10", "system.slice/cpu.weight": "100"}, []string{"ehpc-people"}},
		{"not where version 2 has all processes in one group",
			map[string]string{"cgroup.controllers": "cpu"}, "0::/\n", nil, []string{"ehpc-people"}},
		{"not in a group that somebody else made",
			map[string]string{"cpu/cpu.shares": "1024", "cpu/docker/cpu.shares": "1024"},
			"1:cpu:/docker\n", map[string]string{"cpu/docker/cpu.shares": "1024"}, []string{"cpu/ehpc-people"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root := machine(t, c.groups, map[int]string{9: strings.ReplaceAll(c.of, "slurm", "daemon"), 100: c.of})
			if err := openWeights(root, slurms).lowerAll(); err != nil {
				t.Fatal(err)
			}
			for path, want := range c.want {
				if text, err := os.ReadFile(filepath.Join(root, "sys/fs/cgroup", path)); err != nil || string(text) != want {
					t.Errorf("%s holds %q, %v, want %q", path, text, err, want)
				}
			}
			for _, path := range c.none {
				if _, err := os.Stat(filepath.Join(root, "sys/fs/cgroup", path)); err == nil {
					t.Errorf("%s was made", path)
				}
			}
		})
	}
	t.Run("is nothing on a machine without control groups", func(t *testing.T) {
		t.Parallel()
		if w := openWeights(t.TempDir(), slurms); w != nil {
			t.Errorf("%+v", w)
		}
	})
}
