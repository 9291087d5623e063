package ehpctest

import (
	"testing"

	provfake "ehpc/internal/provider/fake"
)

func TestANodeThatItsSchedulerHasForgottenJoinsAgain(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 2)
	s := w.SchedulerOf(id)
	must(t, s.Remove(t.Context(), "compute001"))
	p.Until(t, "the scheduler has both nodes", func() bool {
		nodes, err := s.Nodes(t.Context())
		return err == nil && len(nodes) == 2
	})
	for _, n := range p.Nodes(t, id) {
		if n.Status != "running" {
			t.Errorf("node %s is %s", n.HostName, n.Status)
		}
	}
}
