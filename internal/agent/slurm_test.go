package agent_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/scheduler/schedulertest"
)

// TestSlurmConforms runs the schedulers' suite against the real one, through
// link and agent.
func TestSlurmConforms(t *testing.T) {
	c := openCluster(t, 2)
	c.apply()
	schedulertest.Run(t, func(*testing.T) schedulertest.Env {
		return schedulertest.Env{
			Scheduler: c.scheduler(), Account: "ann", UID: 20001, Dir: "/home/ann", Node: "compute000", Nodes: 2,
		}
	})
}

// run runs a job to its end and returns it.
func (c *cluster) run(spec hpc.JobSpec) (id string) {
	c.Helper()
	id, err := c.scheduler().Submit(c.Context(), spec)
	c.must("submit", err)
	c.must("release", c.scheduler().Release(c.Context(), id))
	c.ended(id)
	return id
}

func script(token, text string) hpc.JobSpec {
	return hpc.JobSpec{
		Token: "ehpc" + token, Name: token, Account: "ann", UID: 20001, Dir: "/home/ann",
		Script: "#!/bin/bash\n" + text + "\n", Stdout: "/home/ann/" + token + ".out",
	}
}

func TestSlurmJobs(t *testing.T) {
	c := openCluster(t, 2)
	c.apply()
	output := func(t *testing.T, token string) string {
		t.Helper()
		out, err := c.try("manager", "0:0", "cat /home/ann/"+token+".out")
		if err != nil {
			t.Fatal(out)
		}
		return out
	}
	t.Run("a job has its environment, exactly, and its account", func(t *testing.T) {
		spec := script("env", `printf '%s|' "$A" "$B" "$HOME" "$USER" "$(id -un)" "$(pwd)"; env | grep -c LD_PRELOAD`)
		a := "it's \"quoted\" $HOME `id`\nsecond line\tü 中文 \\"
		spec.Env = []hpc.EnvVar{{Name: "A", Value: a}, {Name: "B", Value: ""}, {Name: "LD_PRELOAD", Value: "/home/ann/evil.so"}}
		c.run(spec)
		want := a + "||/home/ann|ann|ann|/home/ann|"
		if out := output(t, "env"); !strings.Contains(out, want) {
			t.Errorf("the job saw\n%s\nwant\n%s", out, want)
		}
	})
	t.Run("directives in a script are comments", func(t *testing.T) {
		spec := script("directives", "#SBATCH --nodes=9\n#SBATCH --array=1-3\necho $SLURM_JOB_NAME $SLURM_ARRAY_TASK_ID $SLURM_NTASKS in $SLURM_SUBMIT_DIR")
		c.run(spec)
		if out := output(t, "directives"); out != "directives 1 in /home/ann" {
			t.Errorf("the job printed %q", out)
		}
	})
	t.Run("an MPI program runs over both nodes", func(t *testing.T) {
		for _, launcher := range []string{"srun", "mpirun"} {
			spec := script("mpi"+launcher, launcher+" sh -c 'echo rank $PMIX_RANK on $(hostname)'")
			spec.Nodes, spec.Tasks, spec.MemoryMB = 2, 2, 512
			spec.Env = []hpc.EnvVar{{Name: "OMPI_MCA_hwloc_base_binding_policy", Value: "none"}}
			began := time.Now()
			c.run(spec)
			out := output(t, spec.Name)
			t.Logf("%s: submit to end %v", launcher, time.Since(began).Round(time.Millisecond))
			for _, want := range []string{"rank 0 on compute000", "rank 3 on compute001"} {
				if !strings.Contains(out, want) {
					t.Errorf("the job printed\n%s\nwithout %q", out, want)
				}
			}
		}
	})
	t.Run("users cannot take, change or release what is ours", func(t *testing.T) {
		id, err := c.scheduler().Submit(t.Context(), script("guarded", "true"))
		c.must("submit", err)
		for _, command := range []string{
			"sbatch --wckey=ehpcmine --wrap true",
			"scontrol release " + id,
			"scontrol update jobid=" + id + " wckey=other",
			"sbatch -J 'x JobState=COMPLETED' --wrap true",
			"sbatch -J 'a\nb' --wrap true",
			"sbatch -A 'a\nb' --wrap true",
		} {
			if out, err := c.try("manager", "20001:20001", "cd /; "+command); err == nil {
				t.Errorf("%s was allowed: %s", command, out)
			}
		}
		if out := c.in("manager", "20002:20002", "squeue -h"); out != "" {
			t.Errorf("another account sees %q", out)
		}
		c.must("cancel", c.scheduler().Cancel(t.Context(), id))
	})
	t.Run("owners hold and release what waits", func(t *testing.T) {
		spec := script("ownhold", "true")
		spec.Nodes = 3 // more than there are
		id, err := c.scheduler().Submit(t.Context(), spec)
		c.must("submit", err)
		c.must("release", c.scheduler().Release(t.Context(), id))
		c.in("manager", "20001:20001", "cd /; scontrol hold "+id+" && scontrol release "+id)
		if out := c.in("manager", "0:0", "squeue -h -o %r -j "+id); strings.Contains(out, "Held") {
			t.Errorf("it waits for %s", out)
		}
		c.must("cancel", c.scheduler().Cancel(t.Context(), id))
	})
	t.Run("a queue that is added while a job runs keeps no node busy", func(t *testing.T) {
		spec := script("throughout", "sleep 300")
		spec.Nodes = 2
		id, err := c.scheduler().Submit(t.Context(), spec)
		c.must("submit", err)
		c.must("release", c.scheduler().Release(t.Context(), id))
		c.queued(id, hpc.JobRunning)
		c.plan.Queues = append(c.plan.Queues, hpc.Queue{Name: "night"})
		c.apply()
		if out := c.in("manager", "0:0", "sinfo -h -o %P"); !strings.Contains(out, "night") {
			t.Errorf("the partitions are %s", out)
		}
		c.queued(id, hpc.JobRunning)
		c.must("cancel", c.scheduler().Cancel(t.Context(), id))
		c.ended(id)
		c.until("all nodes are idle", func() bool {
			nodes, err := c.scheduler().Nodes(t.Context())
			return err == nil && !slices.ContainsFunc(nodes, func(n scheduler.Node) bool { return n.State != scheduler.NodeIdle })
		})
	})
	t.Run("the controller comes back with a higher first id and the queue", func(t *testing.T) {
		id, err := c.scheduler().Submit(t.Context(), script("kept", "true"))
		c.must("submit", err)
		// slurmctld writes its state within five seconds; a clean stop does at once.
		c.in("manager", "0:0", "s6-svc -wR -r /service/slurmctld")
		c.until("the job is queued again", func() bool {
			o, err := c.scheduler().Observe(t.Context(), "")
			return err == nil && len(o.Queue) == 1 && o.Queue[0].ID == id
		})
		again, err := c.scheduler().Submit(t.Context(), script("kept", "true"))
		if err != nil || again != id {
			t.Errorf("the token got the id %s, %v", again, err)
		}
		c.must("cancel", c.scheduler().Cancel(t.Context(), id))
		next, err := c.scheduler().Submit(t.Context(), script("next", "true"))
		if err != nil || len(next) < 4 {
			t.Errorf("the next id is %s, %v", next, err)
		}
		c.must("cancel", c.scheduler().Cancel(t.Context(), next))
	})
}

func (c *cluster) queued(id string, state hpc.JobState) (job scheduler.Job) {
	c.Helper()
	c.until("job "+id+" is "+string(state), func() bool {
		o, err := c.scheduler().Observe(c.Context(), "")
		if err != nil {
			return false
		}
		for _, job = range o.Queue {
			if job.ID == id {
				return job.State == state
			}
		}
		return false
	})
	return job
}

func (c *cluster) ended(id string) (job scheduler.Job) {
	c.Helper()
	c.until("job "+id+" has ended", func() bool {
		o, err := c.scheduler().Observe(c.Context(), "")
		if err != nil {
			return false
		}
		for _, job = range o.Ends {
			if job.ID == id {
				return true
			}
		}
		return false
	})
	return job
}

func TestNodesThatAreLost(t *testing.T) {
	c := openCluster(t, 2)
	t.Run("before the manager is set up its scheduler is unavailable", func(t *testing.T) {
		if _, err := c.scheduler().Nodes(t.Context()); !errors.Is(err, scheduler.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nodes that are set up before their manager join it", func(t *testing.T) {
		backwards := slices.Clone(c.plan.Members)
		slices.Reverse(backwards)
		c.applyTo(backwards)
		began := time.Now()
		c.until("all nodes are idle", func() bool {
			nodes, err := c.scheduler().Nodes(t.Context())
			return err == nil && len(nodes) == 2 && nodes[0].State == scheduler.NodeIdle && nodes[1].State == scheduler.NodeIdle
		})
		t.Logf("from the manager's setup to idle nodes: %v", time.Since(began).Round(time.Millisecond))
	})
	submit := func(spec hpc.JobSpec) string {
		t.Helper()
		id, err := c.scheduler().Submit(t.Context(), spec)
		c.must("submit", err)
		c.must("release", c.scheduler().Release(t.Context(), id))
		c.queued(id, hpc.JobRunning)
		return id
	}
	t.Run("a compute node's job runs again when the node was made anew", func(t *testing.T) {
		spec := script("again", "echo run $SLURM_RESTART_COUNT; [ -n \"$SLURM_RESTART_COUNT\" ] || sleep 300")
		spec.Nodes, spec.Rerunable = 2, true
		id := submit(spec)
		c.kill("compute000")
		c.must("set down", c.scheduler().Down(t.Context(), "compute000", "its machine is gone"))
		if job := c.queued(id, hpc.JobPending); job.Restarts != 1 {
			t.Errorf("the job has %d restarts", job.Restarts)
		}
		c.remake("compute000")
		c.apply()
		began := time.Now()
		if end := c.ended(id); end.State != hpc.JobCompleted || end.ExitCode != 0 {
			t.Errorf("the job ended %s %d", end.State, end.ExitCode)
		}
		t.Logf("from the plan's application to the end of the job: %v", time.Since(began).Round(time.Millisecond))
	})
	t.Run("a manager made anew continues its queue", func(t *testing.T) {
		running := submit(script("runs", "while [ ! -e /home/ann/go ]; do sleep 0.1; done; exit 5"))
		held, err := c.scheduler().Submit(t.Context(), script("held", "true"))
		c.must("submit", err)
		// The controller writes its state every few seconds.
		c.until("the jobs are in the controller's state", func() bool {
			out, err := c.try("manager", "0:0", "strings -a /ehpc/state/slurm/state/job_state || cat /ehpc/state/slurm/state/job_state")
			return err == nil && strings.Contains(out, "ehpcheld") && strings.Contains(out, "ehpcruns")
		})
		c.crash("manager")
		c.apply()
		c.queued(held, hpc.JobPending)
		c.queued(running, hpc.JobRunning)
		c.in("manager", "20001:20001", "touch /home/ann/go")
		if end := c.ended(running); end.State != hpc.JobFailed || end.ExitCode != 5 {
			t.Errorf("the job ended %s %d", end.State, end.ExitCode)
		}
		if again, err := c.scheduler().Submit(t.Context(), script("held", "true")); err != nil || again != held {
			t.Errorf("the token got the id %s, %v, not %s", again, err, held)
		}
		c.must("release", c.scheduler().Release(t.Context(), held))
		if end := c.ended(held); end.State != hpc.JobCompleted {
			t.Errorf("the held job ended %s", end.State)
		}
	})
	t.Run("a node that was removed from Slurm can come back", func(t *testing.T) {
		c.must("drain", c.scheduler().Drain(t.Context(), "compute001", "to be deleted"))
		c.must("remove", c.scheduler().Remove(t.Context(), "compute001"))
		c.must("remove again", c.scheduler().Remove(t.Context(), "compute001"))
		c.crash("compute001")
		c.apply()
		c.until("it is idle", func() bool {
			nodes, err := c.scheduler().Nodes(t.Context())
			return err == nil && len(nodes) == 2 && nodes[1].State == scheduler.NodeIdle
		})
	})
}
