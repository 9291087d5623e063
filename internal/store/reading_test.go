package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// slow is a store that reads jobs no sooner than it is let.
type slow struct {
	mu    sync.Mutex
	steps []string      // queries that it was asked
	asked chan struct{} // takes one for each
	let   chan bool     // gives whether the next may succeed; closed for all that follow
}

func newSlow() *slow { return &slow{asked: make(chan struct{}, 100), let: make(chan bool, 100)} }

func (s *slow) watch(ctx context.Context, query string) context.Context {
	if !strings.Contains(query, `FROM "jobs"`) || !strings.Contains(query, fmt.Sprint("LIMIT ", stepRows)) {
		return ctx
	}
	s.mu.Lock()
	s.steps = append(s.steps, query)
	s.mu.Unlock()
	s.asked <- struct{}{}
	select {
	case may, given := <-s.let:
		if given && !may {
			broken, cancel := context.WithCancel(ctx)
			cancel()
			return broken
		}
	case <-ctx.Done():
	}
	return ctx
}

func (s *slow) count(what string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, query := range s.steps {
		if strings.Contains(query, what) {
			n++
		}
	}
	return n
}

// manyJobs are so many that they are read in three steps.
const manyJobs = 2*stepRows + 700

// withManyJobs is a store with them, of which none has been read yet.
func withManyJobs(t *testing.T, p Place) (*Store, *slow) {
	first := withCluster(t, p)
	change(t, first, func(ctx context.Context, tx Tx) error {
		if err := tx.InsertJob(ctx, &Job{ID: jobName(0), ClusterID: "c", PublicID: "0", State: hpc.JobCompleted, NodeList: []string{}, Submitted: now, Ended: now, Modified: now}); err != nil {
			return err
		}
		return nil
	})
	_, err := first.write.DB.ExecContext(t.Context(), fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 10000001 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO jobs (id, cluster_id, rev, public_id, sched_id, token, owner, name, queue, state, reason, wanted, released, spec, command_line, priority, node_list, nodes, cores, restarts, ends, exit_code, stdout, stderr, submitted, ended, modified, seq)
		SELECT 'j' || SUBSTR(CAST(i AS TEXT), 2), cluster_id, rev, CAST(i AS TEXT), CAST(i AS TEXT), token, owner, name, queue, state, reason, wanted, released, spec, command_line, priority, node_list, nodes, cores, restarts, ends, exit_code, stdout, stderr, submitted, ended, modified, seq
		FROM jobs, n`, 10_000_000+manyJobs-1))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	slow := newSlow()
	p.Watch = slow.watch
	return open(t, p), slow
}

func listAll(ctx context.Context, s *Store) (int, error) {
	_, n, err := s.Jobs(ctx, "c", JobFilter{}, nil, now, Page{1, 10})
	return n, err
}

func TestAClustersJobsAreReadOnce(t *testing.T) { onEveryEngine(t, testReading) }

func testReading(t *testing.T, place func() Place) {
	t.Run("a listing that cannot wait is told so, and the reading goes on without it", func(t *testing.T) {
		s, slow := withManyJobs(t, place())
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-slow.asked; cancel() }()
			if _, err := listAll(ctx, s); !errors.Is(err, ErrReading) {
				t.Fatalf("err = %v, want ErrReading", err)
			}
			if s.Reading() != 1 {
				t.Errorf("%d clusters are being read", s.Reading())
			}
			slow.asked <- struct{}{} // the next need not wait for a query
		}
		close(slow.let)
		if n, err := listAll(t.Context(), s); n != manyJobs || err != nil {
			t.Errorf("%d are listed, %v", n, err)
		}
		if n := slow.count("FROM"); n != 3 || s.Reading() != 0 {
			t.Errorf("they were read in %d steps, and %d clusters are being read", n, s.Reading())
		}
	})
	t.Run("all that wait get what one has read", func(t *testing.T) {
		s, slow := withManyJobs(t, place())
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if n, err := listAll(t.Context(), s); n != manyJobs || err != nil {
					t.Errorf("%d are listed, %v", n, err)
				}
			})
		}
		<-slow.asked
		close(slow.let)
		all.Wait()
		if n := slow.count("FROM"); n != 3 {
			t.Errorf("they were read in %d steps", n)
		}
	})
	t.Run("what was read stays when the store fails", func(t *testing.T) {
		s, slow := withManyJobs(t, place())
		slow.let <- true
		slow.let <- false
		if _, err := listAll(t.Context(), s); !errors.Is(err, context.Canceled) {
			t.Fatalf("err = %v, want the store's", err)
		}
		close(slow.let)
		if n, err := listAll(t.Context(), s); n != manyJobs || err != nil {
			t.Errorf("%d are listed, %v", n, err)
		}
		if all, first := slow.count("FROM"), slow.count("id > ''"); all != 4 || first != 1 {
			t.Errorf("%d steps, %d of them the first", all, first)
		}
	})
	t.Run("what changes meanwhile is listed as it is", func(t *testing.T) {
		s, slow := withManyJobs(t, place())
		s.Warm(t.Context(), "c")
		slow.let <- true
		<-slow.asked
		<-slow.asked // one step is read, the next waits
		change(t, s, func(ctx context.Context, tx Tx) error {
			late := &Job{ID: "a", ClusterID: "c", PublicID: "late", SchedID: "late", State: hpc.JobRunning, NodeList: []string{}, Submitted: now, Modified: now}
			again, err := tx.Job(ctx, jobName(7))
			if err != nil {
				return err
			}
			again.State, again.Ended = hpc.JobRunning, time.Time{}
			if err := errors.Join(tx.InsertJob(ctx, late), tx.SaveJob(ctx, again)); err != nil {
				return err
			}
			_, err = tx.MovePastJobs(ctx, "c", now.Add(time.Second), 100)
			return err
		})
		close(slow.let)
		if n, err := listAll(t.Context(), s); n != manyJobs+1-100 || err != nil {
			t.Errorf("%d are listed, %v", n, err)
		}
		if _, open, err := s.Jobs(t.Context(), "c", JobFilter{Open: true}, nil, now, Page{1, 10}); open != 2 || err != nil {
			t.Errorf("%d are open, %v", open, err)
		}
	})
	t.Run("a store that is closed reads no more", func(t *testing.T) {
		s, slow := withManyJobs(t, place())
		s.Warm(t.Context(), "c")
		<-slow.asked
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := listAll(t.Context(), s); err == nil {
			t.Error("it lists on")
		}
	})
}
