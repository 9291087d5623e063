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
	keyed := plan(manager, compute)
	keyed.Secrets.JWTKey = []byte("key")
	if conf := text(keyed, "slurm.conf"); !strings.Contains(conf, "\nAuthAltTypes=auth/jwt\nAuthAltParameters=jwt_key=/etc/slurm/jwt.key,disable_token_creation\n") {
		t.Errorf("the controller takes no tokens:\n%s", conf)
	}
	if text(keyed, "jwt.key") != "key" || text(keyed, "submit.key") == "" || text(plan(manager), "submit.key") != "" || strings.Contains(on, "AuthAlt") {
		t.Error("the keys stand where the plan has none, or do not where it has one")
	}
	for _, f := range keyFiles([]byte("key")) {
		if f.Mode != 0o600 || f.Owner != "slurm" || !f.Restart || !strings.Contains(string(jobSubmit), submitKeyPath) {
			t.Errorf("%s: %o %s %t", f.Path, f.Mode, f.Owner, f.Restart)
		}
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
		p := plan(m)
		if p.Self.HasRole(hpc.RoleManager) { // as the reconciler does
			p.Secrets.JWTKey = []byte("key")
		}
		var list []string
		for _, s := range e.Services(p) {
			list = append(list, s.Name)
		}
		return strings.Join(list, " ")
	}
	for want, roles := range map[string][]hpc.Role{
		"slurmctld slurmrestd": {hpc.RoleManager, hpc.RoleAccount}, "slurmd": {hpc.RoleCompute}, "": {hpc.RoleLogin},
		"slurmctld slurmrestd slurmd": {hpc.RoleAccount, hpc.RoleManager, hpc.RoleLogin, hpc.RoleCompute},
	} {
		if got := names(roles...); got != want {
			t.Errorf("%v run %q, want %q", roles, got, want)
		}
	}
	if list := e.Services(plan(manager)); len(list) != 1 {
		t.Errorf("without a key there are %v", list)
	}
	argv := strings.Join(e.Services(plan(small))[0].Argv, " ")
	if !strings.HasSuffix(argv, `-Z --conf "CPUs=4 RealMemory=2000 State=DOWN Feature=$(cat /etc/slurm/queue)"`) {
		t.Errorf("slurmd is %s", argv)
	}
	moved := small
	moved.Queue = "night"
	if got := strings.Join(e.Services(plan(moved))[0].Argv, " "); got != argv {
		t.Errorf("a node that is moved to another queue gets another slurmd: %s", got)
	}
}
