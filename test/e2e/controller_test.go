package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// controller is a cluster whose slurmctld a test takes back to what it knew
// before: what a kill does by chance is then certain.
type controller struct {
	*rig.Cluster
	manager string // its node's id
	ada     rig.Account
}

func newController(t *testing.T) *controller {
	t.Helper()
	c := rig.Start(t).Create(t, "lab", rig.Order{Mode: "Tiny", Computes: 1, Compute: "ecs.n1.medium"})
	return &controller{c, c.Node(t, "manager").Id, c.AddAccount(t, "lovelace", "users")}
}

// memory is a controller's state on disk, and how much of the completion log
// there was.
type memory struct {
	dir string
	log int64
}

const completions = "jobcomp.log"

// remember copies the controller's state while it is stopped, so that
// everything is in it.
func (k *controller) remember(t *testing.T) memory {
	t.Helper()
	m := memory{dir: t.TempDir() + "/state"}
	k.stop(t)
	k.copy(t, k.Volume("state", "slurm", "state"), m.dir)
	if info, err := os.Stat(k.Volume("state", "slurm", completions)); err == nil {
		m.log = info.Size()
	}
	k.start(t)
	return m
}

// takeBack gives a stopped controller an older state.
func (k *controller) takeBack(t *testing.T, m memory) {
	t.Helper()
	state := k.Volume("state", "slurm", "state")
	rig.Must(t, os.RemoveAll(state))
	k.copy(t, m.dir, state)
}

// forgetEnds makes a stopped controller one that was killed before it wrote down
// what has ended since.
func (k *controller) forgetEnds(t *testing.T, m memory) {
	t.Helper()
	rig.Must(t, os.Truncate(k.Volume("state", "slurm", completions), m.log))
}

func (k *controller) copy(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cannot copy %s: %v: %s", from, err, out)
	}
}

func (k *controller) stop(t *testing.T) {
	t.Helper()
	k.Inside(t, k.manager, "s6-svc -wD -T 20000 -d /service/slurmctld")
}

func (k *controller) start(t *testing.T) {
	t.Helper()
	k.Inside(t, k.manager, "s6-svc -wu -T 20000 -u /service/slurmctld && timeout 30 sh -c 'until scontrol ping; do sleep 0.1; done'")
}

// submit submits a job whose name stands in its command as NAME.
func (k *controller) submit(t *testing.T, name, command string, change ...func(*api.SubmitJobRequest)) string {
	t.Helper()
	q := &api.SubmitJobRequest{Name: name, CommandLine: strings.ReplaceAll(command, "NAME", name)}
	for _, f := range change {
		f(q)
	}
	return k.Submit(t, k.ada, q)
}

func rerunable(q *api.SubmitJobRequest)  { q.ReRunable = ptr(true) }
func onAllCores(q *api.SubmitJobRequest) { q.Cpu = ptr(2) }
func array(tasks string) func(*api.SubmitJobRequest) {
	return func(q *api.SubmitJobRequest) { q.ArrayRequest = tasks }
}

// byHand submits a job with sbatch, as people do on a login node.
func (k *controller) byHand(t *testing.T, name, command string) string {
	t.Helper()
	printed := k.Inside(t, k.manager, `su - lovelace -c "sbatch -J `+name+` --wrap '`+strings.ReplaceAll(command, "NAME", name)+`'"`)
	id, ok := strings.CutPrefix(printed, "Submitted batch job ")
	if !ok {
		t.Fatalf("sbatch says %q", printed)
	}
	k.seen(t, id)
	return id
}

// seen waits until the service lists a job.
func (k *controller) seen(t *testing.T, id string) {
	t.Helper()
	rig.Until(t, "the service lists job "+id, rig.ComeUp, func() bool {
		for _, job := range k.Jobs(t) {
			if job.Id == id {
				return true
			}
		}
		return false
	})
}

const (
	// leave is a job's last act.
	leave = "echo NAME >> names"
	// enter is its first, if it waits for the file "go" then.
	enter = "echo NAME >> starts; until [ -e go ]; do sleep 0.1; done; "
)

// let lets the jobs that wait go on.
func (k *controller) let(t *testing.T) {
	t.Helper()
	rig.Must(t, os.WriteFile(k.Volume("home", "lovelace", "go"), nil, 0o644))
}

// hold makes jobs wait again.
func (k *controller) hold(t *testing.T) {
	t.Helper()
	rig.Must(t, os.RemoveAll(k.Volume("home", "lovelace", "go")))
}

// idle waits until the scheduler's queue is empty and it has run one more job,
// which comes after all that it still knew of.
func (k *controller) idle(t *testing.T, name string) {
	t.Helper()
	k.drained(t)
	k.AwaitJob(t, k.submit(t, name, leave, onAllCores), "COMPLETED")
}

func (k *controller) drained(t *testing.T) {
	t.Helper()
	rig.Until(t, "the scheduler's queue is empty", settleLimit, func() bool {
		queue, err := k.TryInside(t, k.manager, "squeue --noheader --all")
		return err == nil && queue == ""
	})
}

// runs checks how often names stand in the file.
func (k *controller) runs(t *testing.T, want map[string]int) {
	t.Helper()
	have := k.Count(t, "home", "lovelace", "names")
	for name, n := range want {
		if have[name] != n {
			t.Errorf("%s ran %d times, want %d\n%s", name, have[name], n, k.Evidence(t, k.manager, name, ""))
		}
	}
}

// startedIn waits until a job of the name has written that it starts.
func (k *controller) startedIn(t *testing.T, name string, times int) {
	t.Helper()
	rig.Until(t, name+" starts", rig.ComeUp, func() bool { return k.Count(t, "home", "lovelace", "starts")[name] >= times })
}

// final waits until a job has ended in the state.
func (k *controller) final(t *testing.T, name, id, state string) rig.Details {
	t.Helper()
	deadline := time.Now().Add(settleLimit)
	for {
		job := k.Describe(t, id)
		if rig.Ended(job.State) || time.Now().After(deadline) {
			if job.State != state {
				t.Errorf("job %s (%s) is %s (%q), want %s\n%s", id, name, job.State, job.Comment, state, k.Evidence(t, k.manager, name, id))
			}
			return job
		}
		time.Sleep(100 * time.Millisecond)
	}
}
