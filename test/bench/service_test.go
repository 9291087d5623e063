package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// BenchmarkService measures a real service on real nodes beside what there
// would be without it and, when EHPC_BENCH_TABLE names a file, writes the table
// there. Run it with -benchtime 1x: it takes its own samples.
func BenchmarkService(b *testing.B) {
	t := newTable(b)
	w := &world{b: b, program: besideProgram(b)}
	defer w.end() // a cleanup would find the benchmark's context canceled
	for _, section := range []struct {
		name  string
		place int
		run   func(*testing.B, *world, *table)
	}{
		{"ListJobs", 80, listings},
		{"report", 70, reports},
		{"start", 0, func(b *testing.B, w *world, _ *table) { w.start(b) }},
		{"memory", 110, memory},
		{"ListRegions", 90, regions},
		{"start-of-a-job", 40, starts},
		{"jobs-done", 30, jobsDone},
		{"CreateCluster", 50, createClusters},
		{"AddNodes", 60, addNodes},
		{"pending-job", 61, grown},
		{"plan", 62, plans},
		{"commands", 100, commands},
		{"SubmitJob", 10, submitJobs},
		{"fleet", 65, fleet},
	} {
		b.Run(section.name, func(sub *testing.B) {
			begun := time.Now()
			section.run(sub, w, t)
			sub.Logf("%s took %s", section.name, time.Since(begun).Round(100*time.Millisecond))
		})
		if b.Failed() && section.place > 0 && !t.has(section.place) {
			t.failed(section.place, section.name)
		}
	}
	t.write(b)
}

// world is what the sections share. It is made when first asked for and lives
// until all are over.
type world struct {
	b       *testing.B
	program string
	service *rig.Server
	cluster *rig.Cluster
	as      rig.Account
	bare    *native
}

// computes are the compute nodes of the service's cluster, and added those that
// are added to it and to the other.
const (
	computes = 2
	added    = 20
)

func (w *world) start(b *testing.B) {
	if w.cluster != nil {
		return
	}
	w.bare = startNative(w.b, computes+added)
	w.service = rig.StartWith(w.b, "--config", plenty(w.b))
	w.cluster = w.service.Create(w.b, "bench", rig.Order{Managers: 1, Logins: 1, Computes: computes})
	w.as = w.cluster.AddAccount(w.b, w.bare.as.Name, "users")
	for _, c := range []*rig.Cluster{w.cluster, w.bare.Cluster} {
		program, err := os.ReadFile(w.program)
		rig.Must(b, err)
		rig.Must(b, os.WriteFile(volume(c, "opt", "beside"), program, 0o755))
	}
}

// cores are what a node says it has: Slurm starts one job a second on each at
// most, whatever the machine could do.
const cores = 16

// end deletes what was made.
func (w *world) end() {
	if w.cluster != nil {
		w.cluster.Delete(w.b)
	}
	if w.bare != nil {
		w.bare.give(w.b)
	}
}

// plenty is a configuration that lets many small nodes be on this machine.
func plenty(b *testing.B) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "ehpc.yaml")
	rig.Must(b, os.WriteFile(file, fmt.Appendf(nil, `overcommit:
  cores: 2000
  memory: 8
manager_type: ecs.n1.tiny
login_type: ecs.n1.tiny
compute_type: ecs.n1.tiny
instance_types:
  - name: ecs.n1.tiny
    cores: %d
    memory_mb: 1024
    price: 0.1
autoscale_minute: 1s
`, cores), 0o600))
	return file
}

// quiet waits until no job of the service's cluster is left.
func (w *world) quiet(b *testing.B) {
	b.Helper()
	rig.Until(b, "all jobs have ended", 2*time.Minute, func() bool {
		var a api.ListJobsResponse
		w.cluster.Do(b, &api.ListJobsRequest{ClusterId: w.cluster.ID, State: "notfinish", PageSize: 1}, &a)
		return a.TotalCount == 0
	})
}

// submit submits a job of the account and returns its id.
func (w *world) submit(b *testing.B, command string) error {
	return w.cluster.Client.Do(b.Context(), &api.SubmitJobRequest{ClusterId: w.cluster.ID, CommandLine: command,
		RunasUser: w.as.Name, RunasUserPassword: w.as.Password}, nil)
}
