package slurm

import (
	"strings"
	"testing"

	"ehpc/internal/hpc"
)

func plan(self hpc.Member, others ...hpc.Member) hpc.NodePlan {
	return hpc.NodePlan{
		ClusterID: "ehpc-hz-ABC", Scheduler: "slurm", Self: self, Members: append(others, self),
		Queues: []hpc.Queue{{Name: "workq", Default: true}, {Name: "night"}},
	}
}

var (
	manager = hpc.Member{Hostname: "manager", Address: "10.0.0.2", Roles: []hpc.Role{hpc.RoleManager}, Cores: 2, MemoryMB: 128}
	compute = hpc.Member{Hostname: "compute000", Address: "10.0.0.3", Roles: []hpc.Role{hpc.RoleCompute}, Cores: 4, MemoryMB: 4000, Queue: "workq"}
	small   = hpc.Member{Hostname: "compute001", Address: "10.0.0.4", Roles: []hpc.Role{hpc.RoleCompute}, Cores: 4, MemoryMB: 2000}
)

func TestConfiguration(t *testing.T) {
	t.Parallel()
	e := New("/agent")
	text := func(p hpc.NodePlan, name string) string {
		t.Helper()
		files, err := e.Files(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f.Path, "/"+name) {
				return string(f.Content)
			}
		}
		return ""
	}
	on, off := text(plan(manager, compute, small), "slurm.conf"), text(plan(compute, manager, small), "slurm.conf")
	for _, want := range []string{
		"ClusterName=ehpc-hz-abc\n", "SlurmctldHost=manager(10.0.0.2)\n",
		"NodeSet=workq Feature=workq # jobs that name no partition\nNodeSet=night Feature=night\nInclude " + partitionsPath + "\n",
	} {
		if !strings.Contains(on, want) || !strings.Contains(off, want) {
			t.Errorf("slurm.conf lacks %q:\n%s", want, on)
		}
	}
	if got, want := text(plan(compute, manager, small), "partitions.conf"), "PartitionName=workq Nodes=workq Default=YES DefMemPerCPU=500 MaxTime=INFINITE State=UP\n"+
		"PartitionName=night Nodes=night Default=NO DefMemPerCPU=100 MaxTime=INFINITE State=UP\n"; got != want {
		t.Errorf("the partitions are\n%s", got)
	}
	if include := "Include " + firstIDPath; !strings.Contains(on, include) || strings.Contains(off, include) {
		t.Error("the first job id belongs on the manager alone")
	}
	if text(plan(manager), "job_submit.lua") == "" || text(plan(compute, manager), "job_submit.lua") != "" {
		t.Error("the submit plugin belongs on the manager alone")
	}
	if compute, other := text(plan(compute, manager), "queue"), text(plan(manager), "queue"); compute != "workq\n" || other != "" {
		t.Errorf("a compute node is of queue %q, the manager of %q", compute, other)
	}
	if _, err := e.Files(plan(compute)); err == nil {
		t.Error("a plan without a manager was configured")
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	e := New("/agent")
	names := func(roles ...hpc.Role) string {
		m := compute
		m.Roles = roles
		var list []string
		for _, s := range e.Services(plan(m)) {
			list = append(list, s.Name)
		}
		return strings.Join(list, " ")
	}
	for want, roles := range map[string][]hpc.Role{
		"slurmctld": {hpc.RoleManager, hpc.RoleAccount}, "slurmd": {hpc.RoleCompute}, "": {hpc.RoleLogin},
		"slurmctld slurmd": {hpc.RoleAccount, hpc.RoleManager, hpc.RoleLogin, hpc.RoleCompute},
	} {
		if got := names(roles...); got != want {
			t.Errorf("%v run %q, want %q", roles, got, want)
		}
	}
	argv := strings.Join(e.Services(plan(small))[0].Argv, " ")
	if !strings.HasSuffix(argv, `-Z --conf "CPUs=4 RealMemory=2000 Feature=$(cat /etc/slurm/queue)"`) {
		t.Errorf("slurmd is %s", argv)
	}
	moved := small
	moved.Queue = "night"
	if got := strings.Join(e.Services(plan(moved))[0].Argv, " "); got != argv {
		t.Errorf("a node that is moved to another queue gets another slurmd: %s", got)
	}
}
