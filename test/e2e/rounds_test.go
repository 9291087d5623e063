package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// killing is one victim on a cluster of its own, through all rounds.
type killing struct {
	victim
	c      *rig.Cluster
	ada    rig.Account
	nodes  map[string]string // ids by hostname
	rand   *rand.Rand
	seen   summary
	judged map[string]verdict // by job name
}

// verdict is how a job of a round that is over was found.
type verdict struct {
	job   *submission
	since time.Time // when its round began
	runs  int       // how often its name stands in the file
	state string    // "" for a job that was refused
}

// summary is what all rounds came to.
type summary struct {
	rounds, accepted, refused, repeated, died, twice int
	slowest                                          time.Duration
}

func (s summary) String() string {
	return fmt.Sprintf("%d rounds: %d jobs accepted, %d refused, %d requests repeated for want of an answer; "+
		"%d were killed and say so, %d ran again because their first run was killed; all had ended %s after the kill at the latest",
		s.rounds, s.accepted, s.refused, s.repeated, s.died, s.twice, s.slowest.Round(100*time.Millisecond))
}

func newKilling(t *testing.T, v victim, r *rand.Rand) *killing {
	t.Helper()
	k := &killing{victim: v, rand: r, nodes: map[string]string{}, judged: map[string]verdict{}}
	k.c = rig.Start(t).Create(t, "lab", rig.Order{Mode: "Tiny", Computes: 2, Compute: "ecs.n1.medium"})
	k.ada = k.c.AddAccount(t, "lovelace", "users")
	for _, n := range k.c.Nodes(t) {
		k.nodes[n.HostName] = n.Id
	}
	return k
}

// round submits jobs, kills the victim at a random moment, and looks at what
// became of every job.
func (k *killing) round(t *testing.T, n int) {
	t.Helper()
	moment := time.Duration(k.rand.Int64N(int64(killWithin)))
	s := &stream{c: k.c, as: k.ada, mark: fmt.Sprintf("r%d", n)}
	began, stop, done := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		s.run(t, stop)
	}()
	time.Sleep(moment)
	k.kill(t, s, k.nodes)
	killed := time.Now()
	time.Sleep(goOn)
	close(stop)
	<-done
	k.settle(t, s, began)
	k.seen.rounds++
	k.seen.slowest = max(k.seen.slowest, time.Since(killed))
	t.Logf("round %d: killed after %s, %d jobs, settled %s later", n, moment.Round(time.Millisecond), len(s.all), time.Since(killed).Round(time.Millisecond))
	k.judge(t, s, began)
}

// settle waits until the cluster runs, takes a job, and has none of the round's
// left to do.
func (k *killing) settle(t *testing.T, s *stream, began time.Time) {
	t.Helper()
	deadline := time.Now().Add(settleLimit)
	rig.Until(t, "the cluster runs again", time.Until(deadline), func() bool { return k.c.Running(t) })
	after := &submission{name: s.mark + ".after"}
	rig.Until(t, "the cluster takes a job again", time.Until(deadline), func() bool {
		s.submit(t, after)
		return after.id != ""
	})
	s.all = append(s.all, after)
	var open []string
	for ; ; time.Sleep(200 * time.Millisecond) {
		open = k.open(t, s, began)
		if len(open) == 0 || time.Now().After(deadline) {
			break
		}
	}
	if len(open) > 0 {
		t.Errorf("%s after the kill of %s there is still to do, in %d cases: %s", settleLimit, k.name, len(open), strings.Join(open, "; "))
	}
}

// open are the round's jobs that have not ended, for the service or in the
// scheduler's queue.
func (k *killing) open(t *testing.T, s *stream, began time.Time) []string {
	t.Helper()
	jobs := byID(k.c.JobsSince(t, began))
	var open []string
	for _, sub := range s.all {
		if job, ok := jobs[sub.id]; ok && !rig.Ended(job.State) {
			open = append(open, fmt.Sprintf("job %s (%s) is %s (%s)", sub.id, sub.name, job.State, job.Comment))
		}
	}
	if len(open) > 0 {
		return open
	}
	queue, err := k.c.TryInside(t, k.nodes["manager"], "squeue --noheader --all --format='%i %j %T %r'")
	if err != nil {
		return []string{"the controller does not show its queue: " + queue}
	}
	for line := range strings.Lines(queue) {
		if strings.Contains(line, " "+s.mark+".") {
			open = append(open, "the scheduler still has "+strings.TrimSpace(line))
		}
	}
	return open
}

func byID(list []api.ListJobsWithFiltersJobs) map[string]api.ListJobsWithFiltersJobs {
	jobs := map[string]api.ListJobsWithFiltersJobs{}
	for _, job := range list {
		jobs[job.Id] = job
	}
	return jobs
}

func (k *killing) evidence(t *testing.T, sub *submission) string {
	t.Helper()
	return k.c.Evidence(t, k.nodes["manager"], sub.name, sub.id)
}
