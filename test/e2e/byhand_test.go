package e2e

import (
	"strings"
	"testing"

	"ehpc/test/e2e/rig"
)

// TestWhatEndedWhileTheServiceWasDownIsTold lets the controller forget jobs
// before the service is back, as it does two minutes after their end; here it
// does so at once.
func TestWhatEndedWhileTheServiceWasDownIsTold(t *testing.T) {
	t.Parallel()
	k := newController(t)
	k.hold(t)
	good := k.submit(t, "away.good", enter+leave)
	bad := k.submit(t, "away.bad", enter+leave+"; exit 5")
	k.AwaitJob(t, good, "RUNNING")
	k.AwaitJob(t, bad, "RUNNING")
	hand := k.byHand(t, "away.hand", leave)
	k.Kill()
	k.rememberFor(t, "2")
	k.let(t)
	rig.Until(t, "the controller has forgotten the jobs", 2*settleLimit, func() bool {
		return k.forgotten(t, good) && k.forgotten(t, bad) && k.forgotten(t, hand)
	})
	k.Restart(t)
	for _, want := range []struct {
		name, id, state string
		status          int
	}{{"away.good", good, "COMPLETED", 0}, {"away.bad", bad, "FAILED", 5}, {"away.hand", hand, "COMPLETED", 0}} {
		job := k.final(t, want.name, want.id, want.state)
		if job.ExitCode != want.status || job.Name != want.name || job.Owner != "lovelace" || job.EndTime == "" {
			t.Errorf("what is told of %s is %+v", want.name, job)
		}
	}
	k.rememberFor(t, "120")
	k.idle(t, "away.last")
	k.runs(t, map[string]int{"away.good": 1, "away.bad": 1, "away.hand": 1, "away.last": 1})
	k.Delete(t)
}

// rememberFor sets for how long the controller remembers ended jobs, in seconds.
func (k *controller) rememberFor(t *testing.T, seconds string) {
	t.Helper()
	k.Inside(t, k.manager, "sed -i 's/^MinJobAge=.*/MinJobAge="+seconds+"/' /etc/slurm/slurm.conf && scontrol reconfigure")
}

// forgotten tells whether the controller does not know a job any more.
func (k *controller) forgotten(t *testing.T, id string) bool {
	t.Helper()
	said, err := k.TryInside(t, k.manager, "scontrol show job "+id)
	return err != nil && strings.Contains(said, "Invalid job id")
}
