package reconcile

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"ehpc/internal/auth"
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

func TestAJobIsNotRunAgainBesideItself(t *testing.T) {
	t.Parallel()
	before := &store.Job{ID: "a", PublicID: "7", SchedID: "7", Token: "old", Released: true, Deleted: time.Now()}
	other := &store.Job{ID: "b", PublicID: "8", SchedID: "8", Token: "other", Wanted: true, Released: true}
	again := &store.Job{ID: "c", PublicID: "7", Token: "new", Wanted: true, Spec: hpc.JobSpec{Token: "new", Script: "#!/bin/sh\n"}}
	sched := submits{fake: fake.New()}
	sealer, err := auth.OpenSealer(t.TempDir() + "/key")
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), t.TempDir(), sealer, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ctl := New(Options{Store: db, Limits: DefaultLimits, Log: slog.New(slog.DiscardHandler)})
	ctx := context.WithValue(t.Context(), fenceKey{}, fence{"c", 1})
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
