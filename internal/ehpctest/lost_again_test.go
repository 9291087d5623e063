package ehpctest

import (
	"context"
	"testing"
	"time"

	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
)

// TestAJobIsLostOnceMoreBeforeItsNewIDIsKnown kills the server after it has
// submitted a lost job again and before it wrote that down, and the controller
// after that: the id that the next server is answered with is of a job that is
// not there.
func TestAJobIsLostOnceMoreBeforeItsNewIDIsKnown(t *testing.T) {
	t.Parallel()
	w, dir := NewWorld(provfake.Options{}), t.TempDir()
	p := Start(t, w, Options{Dir: dir})
	id := withAccount(t, w, p, 1)
	w.SchedulerOf(id).Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{Duration: time.Hour} })
	q := job(id, "true")
	q.ReRunable = new(true)
	name := submitted(t, p, q)
	p.untilState(t, id, name, "RUNNING")
	p.Kill()

	p = Start(t, w, Options{Dir: dir, Paused: true})
	rows, err := p.Store.Read().JobsOfPublic(t.Context(), id, []string{name})
	must(t, err)
	row := rows[0]
	first := row.SchedID
	row.Attempt++
	row.Spec.Attempt, row.SchedID, row.State, row.Released, row.Modified = row.Attempt, "", hpc.JobAccepted, false, time.Now()
	must(t, p.Store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.SaveJob(ctx, row) }))
	second, err := w.GuardOf(id).Submit(t.Context(), row.Spec)
	must(t, err)
	s := w.SchedulerOf(id)
	s.Lose(first)
	s.Lose(second)
	s.Crash(0)
	time.Sleep(1100 * time.Millisecond) // schedulers tell in whole seconds when they started
	p.Kill()

	s.Script(func(hpc.JobSpec, string) schedfake.Outcome { return schedfake.Outcome{} })
	p = Start(t, w, Options{Dir: dir})
	p.untilState(t, id, name, "COMPLETED")
}
