package agent_test

import (
	"errors"
	"regexp"
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
			"sbatch --wckey=ehpcmine --comment='" + strings.Repeat("0", 64) + " 0' --wrap true",
			"sbatch --wckey=ehpcmine --comment=' 0' --wrap true",
			"sbatch --wckey=EHPCmine --wrap true",
			"scontrol token",
			"cat /etc/slurm/jwt.key",
			"cat /etc/slurm/submit.key",
			"ls /run/slurmrestd",
			"stat /run/slurmrestd/socket",
		} {
			if out, err := c.try("manager", "20001:20001", "cd /; "+command); err == nil {
				t.Errorf("%s was allowed: %s", command, out)
			}
		}
		if out := c.in("manager", "20001:20001", "scontrol show job "+id); strings.Contains(out, "Comment=") {
			t.Errorf("its account sees %s", out)
		}
		if out := c.in("manager", "20002:20002", "squeue -h"); out != "" {
			t.Errorf("another account sees %q", out)
		}
		c.must("cancel", c.scheduler().Cancel(t.Context(), id))
	})
	t.Run("a job without a script has no file for its output", func(t *testing.T) {
		out, err := c.try("manager", "20001:20001", "cd /home/ann; salloc --no-shell -N1 -J alloc 2>&1")
		c.must("salloc "+out, err)
		_, rest, _ := strings.Cut(out, "allocation ")
		id, _, _ := strings.Cut(rest, "\n")
		if job := c.queued(strings.TrimSpace(id), hpc.JobRunning); job.Stdout != "" || job.Stderr != "" || job.Name != "alloc" {
			t.Errorf("it is %+v", job)
		}
		c.must("cancel", c.scheduler().Cancel(t.Context(), strings.TrimSpace(id)))
	})
	t.Run("what is refused at once is recorded as failed, on no node and without a start", func(t *testing.T) {
		before, err := c.scheduler().Observe(t.Context(), "")
		c.must("observe", err)
		for _, command := range []string{"sbatch -J refused --mem=900T --wrap true", "srun -J refused -I -N 90 true"} {
			if out, err := c.try("manager", "20001:20001", "cd /home/ann; "+command); err == nil {
				t.Errorf("%s was taken: %s", command, out)
			}
		}
		after, err := c.scheduler().Observe(t.Context(), before.Cursor)
		c.must("observe", err)
		refused := slices.DeleteFunc(after.Ends, func(e scheduler.Job) bool { return e.Name != "refused" })
		for _, e := range refused {
			if e.State != hpc.JobFailed || len(e.Nodes) > 0 || !e.Start.IsZero() {
				t.Errorf("its end is %+v", e)
			}
		}
		if len(refused) != 2 {
			t.Errorf("of two there are %d", len(refused))
		}
	})
	t.Run("owners hold and release what waits", func(t *testing.T) {
		spec := script("ownhold", "true")
		spec.Nodes, spec.Priority = 3, -7 // more than there are
		id, err := c.scheduler().Submit(t.Context(), spec)
		c.must("submit", err)
		c.must("release", c.scheduler().Release(t.Context(), id))
		c.in("manager", "20001:20001", "cd /; scontrol hold "+id+" && scontrol release "+id)
		if out := c.in("manager", "0:0", "squeue -h -o %r -j "+id); strings.Contains(out, "Held") {
			t.Errorf("it waits for %s", out)
		}
		if job := c.queued(id, hpc.JobPending); job.Priority != -7 {
			t.Errorf("its priority is %d now", job.Priority)
		}
		c.must("cancel", c.scheduler().Cancel(t.Context(), id))
	})
	t.Run("owners release what they put back into the queue held", func(t *testing.T) {
		spec := script("ownrequeue", "sleep 60")
		spec.Rerunable = true
		id, err := c.scheduler().Submit(t.Context(), spec)
		c.must("submit", err)
		c.must("release", c.scheduler().Release(t.Context(), id))
		c.queued(id, hpc.JobRunning)
		c.in("manager", "20001:20001", "cd /; scontrol requeuehold "+id)
		c.queued(id, hpc.JobPending)
		c.in("manager", "20001:20001", "cd /; scontrol release "+id)
		c.must("cancel", c.scheduler().Cancel(t.Context(), id))
	})
	t.Run("what people submit is held while a budget is spent", func(t *testing.T) {
		submit := func(options string) (id string) {
			return strings.TrimSpace(c.in("manager", "20001:20001", "cd /tmp; sbatch --parsable -o /dev/null "+options+" --wrap true 2>/dev/null"))
		}
		before := submit("--begin=now+1hour")
		c.plan.Closed = &hpc.Closed{UIDs: []int{20001}}
		c.apply()
		held, own := submit("--comment=x"), submit("--hold")
		job := c.queued(held, hpc.JobPending)
		if !job.Held || !job.Closed {
			t.Errorf("it is %+v", job)
		}
		if job := c.queued(own, hpc.JobPending); !job.Held || job.Closed {
			t.Errorf("the one that its owner holds is %+v", job)
		}
		if job := c.queued(before, hpc.JobPending); job.Held || job.Closed {
			t.Errorf("the one of before is %+v", job)
		}
		for _, id := range []string{held, own} {
			for _, command := range []string{"release " + id, "update jobid=" + id + " priority=5", "update jobid=" + id + " admincomment=x"} {
				if out, err := c.try("manager", "20001:20001", "scontrol "+command); err == nil {
					t.Errorf("%s was allowed: %s", command, out)
				}
			}
		}
		c.plan.Closed = &hpc.Closed{Queues: []string{"night"}, UIDs: []int{20002}}
		c.apply()
		if job := c.queued(submit("--begin=now+1hour --comment=open"), hpc.JobPending); job.Held {
			t.Errorf("what is not closed is %+v", job)
		}
		c.in("manager", "20001:20001", "scontrol release "+own)
		c.ended(own)
		c.must("release", c.scheduler().Release(t.Context(), held))
		c.ended(held)
		c.plan.Closed = &hpc.Closed{Queues: []string{hpc.DefaultQueue}}
		c.apply()
		if job := c.queued(submit(""), hpc.JobPending); !job.Closed {
			t.Errorf("in the default queue it is %+v", job)
		}
		c.plan.Closed = nil
		c.apply()
		c.in("manager", "0:0", "scancel -u ann")
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

// TestSlurmSubmitsAlike compares what comes of a job through slurmrestd and
// through sbatch.
func TestSlurmSubmitsAlike(t *testing.T) {
	c := openCluster(t, 1)
	if c.plan.Secrets.JWTKey == nil {
		t.Skip("there is one way only")
	}
	c.in("manager", "0:0", "mkdir -p /ehpc/state && echo 8350000 >/ehpc/state/last-job-id") // ids that look like nothing else
	c.apply()
	all := script("all", "#SBATCH --nodes=3\numask; ulimit -a; env | sort; echo $#; cat <<E\n</ü>&\\\nE")
	all.Name, all.Stderr = "-x 'ü' 中文", "/home/ann/all %j \"err\""
	all.Tasks, all.MemoryMB, all.Walltime, all.Rerunable, all.Priority, all.Queue = 2, 64, 3723*time.Second, true, 5, hpc.DefaultQueue
	all.Env = []hpc.EnvVar{
		{Name: "A", Value: "it's \"quoted\" $HOME `id` \\n\n\r\tü 中文 \u2028 🂡 \x01\x7f </script>&"}, {Name: "EMPTY"}, {Name: "NUMBER", Value: "12.50"},
		{Name: "TRUE", Value: "true"}, {Name: "NULL", Value: "null"}, {Name: "TWICE", Value: "a"}, {Name: "TWICE", Value: "b"},
		{Name: "HOME", Value: "/tmp"}, {Name: "LONG", Value: strings.Repeat("0123456789", 9000)},
	}
	array := script("array", "true")
	array.Array, array.Priority, array.Stdout, array.Nodes, array.Threads = "1-9:2", -3, "/home/ann", 2, 2
	specs := []hpc.JobSpec{script("plain", "umask; env | sort"), all, array}
	slurmrestd := func(change string) {
		t.Helper()
		c.in("manager", "0:0", "s6-svc "+change+" /service/slurmrestd")
	}
	listens := func() {
		t.Helper()
		c.until("slurmrestd listens", func() bool {
			_, err := c.try("manager", "0:0", "grep -q '00010000 0001 01 .*/run/slurmrestd/socket' /proc/net/unix")
			return err == nil
		})
	}
	listens()
	// A way is told by the host that Slurm saw the request come from.
	const byRest, bySbatch = "AllocNode:Sid=10.", "AllocNode:Sid=manager:"
	way := func(by string, n string) (texts []string) {
		t.Helper()
		for _, spec := range specs {
			spec.Token += n
			texts = append(texts, c.shown(spec, by))
		}
		return texts
	}
	rest := way(byRest, "1")
	slurmrestd("-wD -T 5000 -d")
	sbatch := way(bySbatch, "2")
	for i, spec := range specs {
		if rest[i] != sbatch[i] {
			t.Errorf("%s: through slurmrestd\n%s\nthrough sbatch\n%s", spec.Token, rest[i], sbatch[i])
		}
		if !strings.Contains(rest[i], "JobName="+spec.Name) {
			t.Errorf("%s: %s", spec.Token, rest[i])
		}
	}
	slurmrestd("-wU -T 5000 -u")
	listens()
	way(byRest, "3")
	slurmrestd("-wR -T 5000 -k") // its socket is left
	listens()
	way(byRest, "4")
}

var (
	shownTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d`)
	shownOwn  = regexp.MustCompile(`AllocNode:Sid=\S+|SLURM_TASK_PID=\d+|Priority=\d+`)
)

// shown is what Slurm tells of a job and, unless it is an array, what it prints;
// what is its own is left out.
func (c *cluster) shown(spec hpc.JobSpec, by string) string {
	c.Helper()
	id, err := c.scheduler().Submit(c.Context(), spec)
	c.must("submit", err)
	text := c.in("manager", "0:0", "scontrol -o show job "+id+"; scontrol write batch_script "+id+" -")
	if !strings.Contains(text, by) {
		c.Errorf("%s was submitted by the other way, not %q:\n%s", spec.Token, by, text)
	}
	if spec.Array == "" {
		c.must("release", c.scheduler().Release(c.Context(), id))
		c.ended(id)
		text += "\n" + c.in("manager", "0:0", "cat "+spec.Stdout)
	} else {
		c.must("cancel", c.scheduler().Cancel(c.Context(), id))
	}
	text = shownOwn.ReplaceAllString(shownTime.ReplaceAllString(text, "TIME"), "OWN")
	// sbatch would act on a directive, slurmrestd does not.
	return strings.NewReplacer(spec.Token, "TOKEN", id, "ID", "# SBATCH", "#SBATCH").Replace(text)
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
	t.Run("a node that Slurm has forgotten joins again", func(t *testing.T) {
		c.in("manager", "0:0", "scontrol delete nodename=compute001")
		c.must("rejoin", c.hub.Node("i-compute001").Rejoin(t.Context()))
		c.until("it is idle", func() bool {
			nodes, err := c.scheduler().Nodes(t.Context())
			return err == nil && len(nodes) == 2 && nodes[1].State == scheduler.NodeIdle
		})
	})
	t.Run("a job that waits for a node starts when it joins, not at the controller's next round", func(t *testing.T) {
		conf := "/etc/slurm/slurm.conf"
		c.in("manager", "0:0", "cp "+conf+" /root/conf && sed -i 's/sched_interval=[0-9]*/sched_interval=600/; s/bf_interval=[0-9]*/bf_interval=600/' "+conf+" && scontrol reconfigure")
		defer c.in("manager", "0:0", "cp /root/conf "+conf+" && scontrol reconfigure")
		c.in("manager", "0:0", "scontrol delete nodename=compute001")
		spec := script("awaits", "true")
		spec.Nodes = 2
		id, err := c.scheduler().Submit(t.Context(), spec)
		c.must("submit", err)
		c.must("release", c.scheduler().Release(t.Context(), id))
		c.until("it was tried in vain", func() bool { return c.in("manager", "0:0", "squeue -h -o %r -j "+id) != "None" })
		began := time.Now()
		c.must("rejoin", c.hub.Node("i-compute001").Rejoin(t.Context()))
		c.ended(id)
		t.Logf("from joining to the job's end: %v", time.Since(began).Round(time.Millisecond))
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
