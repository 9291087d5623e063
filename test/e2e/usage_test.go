package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/test/e2e/rig"
)

// burn uses processor time on two cores, holds memory, and prints the time that
// it and its children used, as they themselves were told, in seconds.
const burn = `perl -e '
my $held = "x" x (40 << 20);
for (1, 2) { if (!fork) { 1 while (times)[0] + (times)[1] < 1.5; exit } }
1 while wait > 0;
my $sum = 0; $sum += $_ for times;
print "$sum\n"'`

// measured is what the nodes' agents wrote down of a job, once all of it is final.
func measured(t *testing.T, c *rig.Cluster, id string, hosts int) (cpu time.Duration, memory int64) {
	t.Helper()
	rig.Until(t, "what job "+id+" used is written down", 2*time.Minute, func() bool {
		cpu, memory = 0, 0
		paths, err := filepath.Glob(c.Volume("claims", "usage", "*", id+".*.json"))
		rig.Must(t, err)
		for _, path := range paths {
			var m hpc.Measurement
			text, err := os.ReadFile(path)
			rig.Must(t, err)
			rig.Must(t, json.Unmarshal(text, &m))
			if !m.Final {
				return false
			}
			var sum hpc.Used
			for _, u := range m.Parts {
				sum = sum.Join(u)
			}
			cpu += sum.CPU
			memory += sum.Memory
		}
		return len(paths) == hosts
	})
	return cpu, memory
}

// printed is the sum of what the lines of a file say, in seconds.
func printed(t *testing.T, c *rig.Cluster, path ...string) (sum time.Duration) {
	t.Helper()
	for _, line := range c.Lines(t, path...) {
		seconds, err := strconv.ParseFloat(strings.TrimSpace(line), 64)
		rig.Must(t, err)
		sum += time.Duration(seconds * float64(time.Second))
	}
	return sum
}

// near tells whether a measured time is what was printed: not less, but for the
// hundredths that times counts and what went unseen, and not much more.
func near(t *testing.T, what string, cpu, printed, unseen time.Duration) {
	t.Helper()
	t.Logf("%s: measured %v, printed %v", what, cpu, printed)
	if cpu < printed-unseen-40*time.Millisecond || cpu > printed+printed/10+300*time.Millisecond {
		t.Errorf("%s: measured are %v, it printed %v", what, cpu, printed)
	}
}

func TestJobsAreMeasured(t *testing.T) {
	t.Parallel()
	c := rig.Start(t).Create(t, "lab", rig.Order{Mode: "Tiny", Computes: 2, Compute: "ecs.n1.medium"})
	k := &controller{c, c.Node(t, "manager").Id, c.AddAccount(t, "lovelace", "users")}

	one := k.submit(t, "one", burn+" > one.out")
	k.AwaitJob(t, one, "COMPLETED")
	cpu, memory := measured(t, c, one, 1)
	near(t, "a job", cpu, printed(t, c, "home", "lovelace", "one.out"), 0)
	if memory < 40<<20 {
		t.Errorf("its highest memory is %d", memory)
	}

	k.Put(t, k.ada, "burn.sh", "#!/bin/bash\n"+burn+"\n")
	two := k.Submit(t, k.ada, &api.SubmitJobRequest{Name: "two", CommandLine: "srun -o two.%t.out bash burn.sh", Node: ptr(2), Task: ptr(1), Cpu: ptr(2)})
	k.AwaitJob(t, two, "COMPLETED")
	c.Drop(t, c.Node(t, "compute001").Id) // at once: its figures outlive it
	cpu, memory = measured(t, c, two, 2)
	near(t, "a job on two nodes", cpu, printed(t, c, "home", "lovelace", "two.0.out")+printed(t, c, "home", "lovelace", "two.1.out"), 500*time.Millisecond)
	if memory < 80<<20 {
		t.Errorf("the highest memory on both nodes is %d", memory)
	}

	hand := k.byHand(t, "hand", "bash burn.sh > hand.out")
	k.AwaitJob(t, hand, "COMPLETED")
	cpu, _ = measured(t, c, hand, 1)
	near(t, "a job that was submitted by hand", cpu, printed(t, c, "home", "lovelace", "hand.out"), 250*time.Millisecond)

	short := k.submit(t, "short", "true") // by hand it may be over before anybody has seen it
	k.AwaitJob(t, short, "COMPLETED")
	cpu, _ = measured(t, c, short, 1)
	t.Logf("a job that is over at once: %v", cpu)

	broken := k.submit(t, "broken", enter+burn+" > broken.out")
	k.AwaitJob(t, broken, "RUNNING")
	k.KillDaemon(t, c.Node(t, "compute000").Id, "ehpc-agent")
	k.let(t)
	k.AwaitJob(t, broken, "COMPLETED")
	cpu, _ = measured(t, c, broken, 1)
	near(t, "a job whose agent was killed", cpu, printed(t, c, "home", "lovelace", "broken.out"), 0)

	tasks := k.submit(t, "tasks", "bash burn.sh > tasks.${SLURM_ARRAY_TASK_ID}.out", array("1-2:1"))
	k.AwaitJob(t, tasks, "COMPLETED")
	for _, told := range []struct {
		what, id string
		nodes    int
		files    []string
	}{
		{"one", one, 1, []string{"one.out"}},
		{"on two nodes, one of which is gone", two, 2, []string{"two.0.out", "two.1.out"}},
		{"by hand", hand, 1, []string{"hand.out"}},
		{"an array", tasks, 2, []string{"tasks.1.out", "tasks.2.out"}},
	} {
		var u *rig.Used
		rig.Until(t, "what is told of the job "+told.what+" is on all of its nodes", 2*time.Minute, func() bool {
			u = c.Describe(t, told.id).Used
			return u != nil && u.Nodes == told.nodes
		})
		var sum time.Duration
		for _, file := range told.files {
			sum += printed(t, c, "home", "lovelace", file)
		}
		near(t, "told: "+told.what, time.Duration(u.CpuTime*float64(time.Second)), sum, 500*time.Millisecond)
		if u.MaxMemory < 40<<20 || u.Energy != nil {
			t.Errorf("told of the job %s is %+v", told.what, u)
		}
	}
	c.Delete(t)
}
