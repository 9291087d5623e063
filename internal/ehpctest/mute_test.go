package ehpctest

import (
	"testing"

	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/scheduler"
)

// A scheduler that is broken while its node is well is told, once, and that it
// answers again.
func TestASchedulerThatDoesNotAnswerIsTold(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	p.Until(t, "the cluster's log tells that its scheduler does not answer", func() bool {
		w.SchedulerOf(id).Fail("Nodes", scheduler.ErrUnavailable)
		return p.lines(t, id, "scheduler has not answered since") > 0
	})
	p.Until(t, "the cluster's log tells that it answers again", func() bool { return p.lines(t, id, "scheduler answers again") > 0 })
	if down, up := p.lines(t, id, "scheduler has not answered since"), p.lines(t, id, "scheduler answers again"); down != 1 || up != 1 {
		t.Errorf("%d lines tell that it does not answer, and %d that it does", down, up)
	}
	if status := p.Describe(t, id).Status; status != "running" {
		t.Errorf("the cluster is %s", status)
	}
}
