package reconcile

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/scheduler/fake"
	"ehpc/internal/store"
)

// submits is a scheduler that is only asked to submit.
type submits struct {
	scheduler.Scheduler
	fake *fake.Fake
}

func (s submits) Submit(ctx context.Context, spec hpc.JobSpec) (string, error) {
	return s.fake.Submit(ctx, spec)
}

func (s submits) Runs(context.Context, ...string) ([]hpc.Run, error) { return nil, nil }

// control is one whose store has no rows, so that none can be saved.
func control(t *testing.T) (*Control, context.Context) {
	ctl := New(Options{Store: openStore(t, store.Place{Dir: t.TempDir()}), Limits: DefaultLimits, Log: slog.New(slog.DiscardHandler)})
	return ctl, context.WithValue(t.Context(), fenceKey{}, fence{"c", 1})
}

func TestALostJobIsNotSubmittedAgainUnlessThatIsWrittenDown(t *testing.T) {
	t.Parallel()
	ctl, ctx := control(t)
	row := &store.Job{ID: "a", PublicID: "7", SchedID: "7", Token: "lost", Wanted: true, Released: true, Missing: time.Now()}
	sched := submits{fake: fake.New()}
	if err := ctl.lookAtRuns(ctx, sched, nil, []*store.Job{row}, forgotten); err != nil {
		t.Fatal(err)
	}
	if row.SchedID != "7" || row.Attempt != 0 {
		t.Errorf("the row could not be saved, and is %+v", row)
	}
}

func TestAJobIsNotRunAgainBesideItself(t *testing.T) {
	t.Parallel()
	before := &store.Job{ID: "a", PublicID: "7", SchedID: "7", Token: "old", Released: true, Deleted: time.Now()}
	other := &store.Job{ID: "b", PublicID: "8", SchedID: "8", Token: "other", Wanted: true, Released: true}
	again := &store.Job{ID: "c", PublicID: "7", Token: "new", Wanted: true, Spec: hpc.JobSpec{Token: "new", Script: "#!/bin/sh\n"}}
	sched := submits{fake: fake.New()}
	ctl, ctx := control(t)
	if err := ctl.submitAgain(ctx, sched, []*store.Job{before, other, again}); err != nil {
		t.Fatal(err)
	}
	if again.SchedID != "" {
		t.Errorf("it was submitted as %s while its run before has not ended", again.SchedID)
	}
	if err := ctl.submitAgain(ctx, sched, []*store.Job{other, again}); err != nil { // the row is not in this store, which settles nothing
		t.Fatal(err)
	}
	if again.SchedID == "" {
		t.Error("it was not submitted although its run before has ended")
	}
}

// A job that is submitted again may be answered with the id that a server before
// was given, and have been lost once more since.
func TestAJobThatIsSubmittedAgainIsLookedForFromThenOn(t *testing.T) {
	t.Parallel()
	before := time.Now().Add(-time.Minute)
	row := &store.Job{ID: "a", PublicID: "7", Token: "lost", Wanted: true, Modified: before, Spec: hpc.JobSpec{Token: "lost", Script: "#!/bin/sh\n"}}
	ctl, ctx := control(t)
	if err := ctl.submitAgain(ctx, submits{fake: fake.New()}, []*store.Job{row}); err != nil {
		t.Fatal(err)
	}
	if row.SchedID == "" || !startedSince(row, scheduler.Observation{Boot: before.Add(time.Second)}) {
		t.Errorf("a controller that started since it was lost is taken to have it: %+v", row)
	}
}
