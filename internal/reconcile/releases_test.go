package reconcile

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// slowToRelease is a scheduler whose releases take until they are let go.
type slowToRelease struct {
	scheduler.Scheduler
	asked chan []string
	goOn  chan struct{}
}

func (s slowToRelease) Release(_ context.Context, ids ...string) error {
	s.asked <- ids
	<-s.goOn
	return nil
}

// A second release takes a job's priority away on some schedulers.
func TestAJobThatWasReleasedMeanwhileIsNotReleasedAgain(t *testing.T) {
	t.Parallel()
	s, c := withCluster(t, store.Place{Dir: t.TempDir()}, "")
	sched := slowToRelease{asked: make(chan []string, 10), goOn: make(chan struct{})}
	ctl := New(Options{Store: s, Links: oneManager{sched}, Limits: DefaultLimits, Log: slog.New(slog.DiscardHandler), Server: "here"})
	now := time.Now()
	add := func(rows ...*store.Job) {
		t.Helper()
		fatal(t, s.Change(t.Context(), func(ctx context.Context, tx store.Tx) error { return tx.InsertJob(ctx, rows...) }))
	}
	job := func(id string, priority int) *store.Job {
		return &store.Job{ID: "j" + id, ClusterID: c.ID, PublicID: id, SchedID: id, Token: "t" + id, Owner: "worker", Queue: hpc.DefaultQueue,
			State: hpc.JobPending, Wanted: true, Priority: priority, NodeList: []string{}, Submitted: now, Modified: now}
	}
	fatal(t, s.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return tx.InsertNodes(ctx, []*store.Node{{ID: "i-manager", ClusterID: c.ID, Hostname: "manager", Roles: []hpc.Role{hpc.RoleManager},
			Status: hpc.NodeRunning, Wanted: true, Created: now, Changed: now}})
	}))
	if _, held := ctl.hold(t.Context(), c); !held {
		t.Fatal("no lease")
	}
	add(job("1", 0))
	fatal(t, ctl.passReleases(t.Context()))
	asked := [][]string{<-sched.asked}
	add(job("2", -3), job("3", 7))
	fatal(t, ctl.passReleases(t.Context())) // job 1 is not written down as released yet
	close(sched.goOn)
	ctl.steps.wait()
	close(sched.asked)
	for ids := range sched.asked {
		asked = append(asked, ids)
	}
	if want := [][]string{{"1"}, {"3", "2"}}; !slices.EqualFunc(asked, want, slices.Equal) {
		t.Errorf("released are %v, want %v", asked, want)
	}
}
