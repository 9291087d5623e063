package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// together makes the changes wait behind one that runs, so that they go in one
// transaction where the engine does that, and returns how each ended.
func together(t *testing.T, s *Store, fns ...func(context.Context, Tx) error) []error {
	t.Helper()
	end := occupy(t, s)
	var all sync.WaitGroup
	errs := make([]error, len(fns))
	for i, fn := range fns {
		all.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = fmt.Errorf("panic: %v", p)
				}
			}()
			errs[i] = s.Change(t.Context(), fn)
		})
	}
	time.Sleep(50 * time.Millisecond) // until they wait
	end()
	all.Wait()
	return errs
}

// occupy makes a change that runs until end is called, which waits for it.
func occupy(t *testing.T, s *Store) (end func()) {
	t.Helper()
	begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.Change(t.Context(), func(context.Context, Tx) error {
			close(begun)
			<-release
			return nil
		})
	}()
	<-begun
	return func() {
		t.Helper()
		close(release)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func queue(name string) func(context.Context, Tx) error {
	return func(ctx context.Context, tx Tx) error {
		return tx.InsertQueue(ctx, &Queue{ClusterID: "c", Name: name, Created: now})
	}
}

func queueNames(t *testing.T, s *Store) map[string]bool {
	t.Helper()
	rows, err := s.Read().Queues(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, q := range rows {
		names[q.Name] = true
	}
	return names
}

func TestChangesThatGoTogetherFailAlone(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := withCluster(t, place())
		refused := errors.New("refused")
		errs := together(t, s,
			queue("one"),
			func(ctx context.Context, tx Tx) error {
				return errors.Join(queue("two")(ctx, tx), refused)
			},
			func(ctx context.Context, tx Tx) error {
				if err := queue("three")(ctx, tx); err != nil {
					return err
				}
				panic("three")
			},
			func(ctx context.Context, tx Tx) error {
				if err := queue("four")(ctx, tx); err != nil {
					return err
				}
				return tx.InsertQueue(ctx, &Queue{ClusterID: "none", Name: "q", Created: now})
			},
			queue("five"))
		for i, fails := range []bool{false, true, true, true, false} {
			if (errs[i] != nil) != fails {
				t.Errorf("change %d ended with %v", i+1, errs[i])
			}
		}
		if !errors.Is(errs[1], refused) {
			t.Errorf("the error of another: %v", errs[1])
		}
		names := queueNames(t, s)
		for _, name := range []string{"one", "two", "three", "four", "five"} {
			if kept := name == "one" || name == "five"; names[name] != kept {
				t.Errorf("queue %s is there: %v", name, names[name])
			}
		}
		change(t, s, queue("after")) // nobody waits for one that is over
	})
}

func TestAChangeIsSeenBeforeItsAnswer(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := withCluster(t, place())
		var all sync.WaitGroup
		for i := range 300 {
			all.Go(func() {
				name := fmt.Sprintf("q%d", i)
				if err := s.Change(t.Context(), queue(name)); err != nil {
					t.Error(err)
				}
				if !queueNames(t, s)[name] {
					t.Errorf("queue %s is not there after its change", name)
				}
			})
		}
		all.Wait()
	})
}

func TestOneWhoLeavesWhileItWaitsChangesNothing(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		s := withCluster(t, place())
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		end := occupy(t, s)
		if s.shared {
			leave() // the engine would let it begin
		}
		go func() { gone <- s.Change(ctx, queue("late")) }()
		time.Sleep(20 * time.Millisecond)
		leave()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		end()
		change(t, s, queue("after"))
		if names := queueNames(t, s); names["late"] || !names["after"] {
			t.Errorf("queues are %v", names)
		}
	})
}
