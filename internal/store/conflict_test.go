package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

func TestARowThatExistsIsAConflict(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := withCluster(t, place())
		err := s.Change(t.Context(), func(ctx context.Context, tx Tx) error {
			return tx.InsertNodes(ctx, []*Node{{ID: "i-2", ClusterID: "c", Hostname: "manager", Created: now, Changed: now}})
		})
		if !errors.Is(err, ErrConflict) {
			t.Errorf("a hostname that is taken: err = %v", err)
		}
		token := func(ctx context.Context, tx Tx) error {
			return tx.InsertClientToken(ctx, &ClientToken{AccessKey: "k", Token: "t", Created: now})
		}
		change(t, s, token)
		if err := s.Change(t.Context(), token); !errors.Is(err, ErrConflict) {
			t.Errorf("a token that is there: err = %v", err)
		}
	})
}

func TestWhatIsWrongIsNoConflict(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := open(t, place())
		err := s.Change(t.Context(), func(ctx context.Context, tx Tx) error {
			return tx.InsertQueue(ctx, &Queue{ClusterID: "none", Name: "q", Created: now})
		})
		if err == nil || errors.Is(err, ErrConflict) {
			t.Errorf("a queue of no cluster: err = %v", err)
		}
	})
}

// TestTwoWhoDecideOnTheSameRowTakeTurns has many transactions read, think and
// write on the strength of what they read: with what they decide on locked first
// none of them misses another.
func TestTwoWhoDecideOnTheSameRowTakeTurns(t *testing.T) {
	const deciders = 8
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := withCluster(t, place())
		together := func(fn func(ctx context.Context, tx Tx) error) {
			var all sync.WaitGroup
			for range deciders {
				all.Go(func() {
					if err := s.Change(t.Context(), fn); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		together(func(ctx context.Context, tx Tx) error {
			if _, err := tx.LockCluster(ctx, "c"); err != nil {
				return err
			}
			have, err := tx.Nodes(ctx, "c")
			if err != nil {
				return err
			}
			name := fmt.Sprintf("compute%03d", len(have))
			return tx.InsertNodes(ctx, []*Node{{ID: name, ClusterID: "c", Hostname: name, Created: now, Changed: now}})
		})
		if nodes, err := s.Read().Nodes(t.Context(), "c"); err != nil || len(nodes) != deciders+1 {
			t.Errorf("%d nodes, %v", len(nodes), err)
		}
		together(func(ctx context.Context, tx Tx) error {
			if err := tx.LockOwner(ctx, "o"); err != nil {
				return err
			}
			n, err := tx.CountJobTemplates(ctx, "o")
			if err != nil || n >= deciders/2 {
				return err
			}
			return tx.InsertJobTemplate(ctx, &JobTemplate{ID: NewID(), Owner: "o", Created: now})
		})
		if n, err := s.Read().CountJobTemplates(t.Context(), "o"); err != nil || n != deciders/2 {
			t.Errorf("%d templates past the limit of %d, %v", n, deciders/2, err)
		}
	})
}

func TestADeadlockIsAConflict(t *testing.T) {
	t.Parallel()
	s := withCluster(t, engines["postgres"](t))
	met := make(chan struct{}, 2)
	both := func(first, second string) error {
		return s.Change(t.Context(), func(ctx context.Context, tx Tx) error {
			if err := tx.LockOwner(ctx, first); err != nil {
				return err
			}
			met <- struct{}{}
			for len(met) < 2 {
				time.Sleep(time.Millisecond)
			}
			return tx.LockOwner(ctx, second)
		})
	}
	other := make(chan error)
	go func() { other <- both("o", "p") }()
	err := errors.Join(both("p", "o"), <-other)
	if !errors.Is(err, ErrConflict) {
		t.Errorf("err = %v, want one ErrConflict", err)
	}
}

func TestALeaseIsOneServersAtATime(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := withCluster(t, place())
		take := func(server string, at time.Time) (l *Lease, err error) {
			err = s.Change(t.Context(), func(ctx context.Context, tx Tx) error {
				l, err = tx.TakeLease(ctx, &Lease{ClusterID: "c", Server: server, Endpoint: "https://" + server, Expires: at.Add(time.Minute)}, at)
				return err
			})
			return l, err
		}
		fence := func(n int64) error {
			return s.Change(t.Context(), func(ctx context.Context, tx Tx) error { return tx.Fence(ctx, "c", n) })
		}
		first, err := take("a", now)
		if err != nil || first.Fence != 1 {
			t.Fatalf("lease %+v, %v", first, err)
		}
		if _, err := take("b", now.Add(59*time.Second)); !errors.Is(err, ErrConflict) {
			t.Errorf("taken while it runs: err = %v", err)
		}
		change(t, s, func(ctx context.Context, tx Tx) error {
			held, err := tx.RenewLeases(ctx, "a", now.Add(2*time.Minute))
			if len(held) != 1 || held[0].Fence != first.Fence {
				t.Errorf("held %+v", held)
			}
			return err
		})
		if _, err := take("b", now.Add(61*time.Second)); !errors.Is(err, ErrConflict) {
			t.Errorf("taken after it was renewed: err = %v", err)
		}
		if err := fence(first.Fence); err != nil {
			t.Errorf("its holder is refused: %v", err)
		}
		second, err := take("b", now.Add(2*time.Minute))
		if err != nil || second.Fence <= first.Fence || second.Server != "b" {
			t.Fatalf("after it has run out: %+v, %v", second, err)
		}
		if l, err := s.Read().Lease(t.Context(), "c"); err != nil || l.Server != "b" || l.Endpoint != "https://b" || l.Fence != second.Fence {
			t.Errorf("who holds it is read as %+v, %v", l, err)
		}
		if _, err := s.Read().Lease(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a cluster that nobody has run: err = %v", err)
		}
		if err := fence(first.Fence); !errors.Is(err, ErrFenced) {
			t.Errorf("who had it before writes on: err = %v", err)
		}
		again, err := take("b", now.Add(2*time.Minute))
		if err != nil || again.Fence <= second.Fence {
			t.Errorf("a server that was started again: %+v, %v", again, err)
		}
		change(t, s, func(ctx context.Context, tx Tx) error { return tx.EndLeases(ctx, "b", now.Add(2*time.Minute)) })
		if l, err := take("a", now.Add(2*time.Minute)); err != nil || l.Server != "a" {
			t.Errorf("after it was given free: %+v, %v", l, err)
		}
	})
}

// TestNobodyTakesALeaseDuringAWrite has a second server take the lease while the
// first one's transaction is open: it waits for its end.
func TestNobodyTakesALeaseDuringAWrite(t *testing.T) {
	t.Parallel()
	s := withCluster(t, engines["postgres"](t))
	change(t, s, func(ctx context.Context, tx Tx) error {
		_, err := tx.TakeLease(ctx, &Lease{ClusterID: "c", Server: "a", Expires: now}, now)
		return err
	})
	taken := make(chan error)
	change(t, s, func(ctx context.Context, tx Tx) error {
		if err := tx.Fence(ctx, "c", 1); err != nil {
			return err
		}
		go func() {
			taken <- s.Change(t.Context(), func(ctx context.Context, tx Tx) error {
				_, err := tx.TakeLease(ctx, &Lease{ClusterID: "c", Server: "b", Expires: now.Add(time.Minute)}, now)
				return err
			})
		}()
		c, err := tx.Cluster(ctx, "c")
		if err != nil {
			return err
		}
		select {
		case err := <-taken:
			t.Errorf("the lease was taken in the middle of a write (%v)", err)
		case <-time.After(50 * time.Millisecond):
		}
		return tx.StepCluster(ctx, c, hpc.ClusterCreating, "", now)
	})
	if err := <-taken; err != nil {
		t.Error(err)
	}
}
