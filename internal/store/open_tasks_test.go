package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// countTasks counts what OpenTasks knows.
func countTasks(t testing.TB, s *Store, clusterID string) (n int) {
	t.Helper()
	err := s.read.NewRaw("SELECT CAST(COALESCE(SUM(tasks), 0) AS BIGINT) FROM jobs WHERE cluster_id = ? AND ended IS NULL", clusterID).Scan(t.Context(), &n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func checkOpenTasks(t testing.TB, s *Store, clusterID string) {
	t.Helper()
	n, err := s.Read().OpenTasks(t.Context(), clusterID)
	if want := countTasks(t, s, clusterID); n != want || err != nil {
		t.Fatalf("%d tasks are taken for open, %v; there are %d", n, err, want)
	}
}

func TestOpenTasksAreCounted(t *testing.T) { onEveryEngine(t, testOpenTasksAreCounted) }

func testOpenTasksAreCounted(t *testing.T, place func() Place) {
	array := func(id string) *Job {
		return &Job{ID: id, ClusterID: "c", PublicID: id, SchedID: id, State: hpc.JobPending, NodeList: []string{}, Tasks: 7, Submitted: now, Modified: now}
	}
	insert := func(jobs ...*Job) func(context.Context, Tx) error {
		return func(ctx context.Context, tx Tx) error { return tx.InsertJob(ctx, jobs...) }
	}
	save := func(j *Job) func(context.Context, Tx) error {
		return func(ctx context.Context, tx Tx) error { return tx.SaveJob(ctx, j) }
	}
	want := func(t *testing.T, s *Store, want int) {
		t.Helper()
		checkOpenTasks(t, s, "c")
		if n := countTasks(t, s, "c"); n != want {
			t.Errorf("%d tasks are open, want %d", n, want)
		}
	}
	t.Run("through the ends of jobs and their coming back", func(t *testing.T) {
		s, a, b := withCluster(t, place()), array("a"), array("b")
		want(t, s, 0)
		change(t, s, insert(a, b))
		want(t, s, 14)
		a.Ended = now
		change(t, s, save(a))
		want(t, s, 7)
		a.Ended, a.Tasks = time.Time{}, 3
		change(t, s, save(a))
		want(t, s, 10)
	})
	t.Run("what is rolled back, and what is saved in vain, counts as before", func(t *testing.T) {
		s, a := withCluster(t, place()), array("a")
		change(t, s, insert(a))
		old := *a
		if err := s.Change(t.Context(), func(ctx context.Context, tx Tx) error {
			return errors.Join(tx.InsertJob(ctx, array("b")), errors.New("no"))
		}); err == nil {
			t.Fatal("it was not rolled back")
		}
		change(t, s, save(a))
		old.Ended = now
		change(t, s, func(ctx context.Context, tx Tx) error {
			if err := tx.SaveJob(ctx, &old); !errors.Is(err, ErrConflict) {
				t.Errorf("err = %v, want ErrConflict", err)
			}
			return nil
		})
		want(t, s, 7)
	})
	t.Run("in a store of the version before", func(t *testing.T) {
		p := place()
		early := migratedBefore(t, p, "20261201")
		for _, row := range []string{
			`INSERT INTO clusters (id, rev, name, description, owner, status, reason, wanted, scheduler, deploy_mode, image_id, os_tag, asked, secrets, cursor, attempts, created, changed)
			 VALUES ('c', 1, 'n', '', 'o', 'running', '', TRUE, 'slurm', 'Standard', 'i', 't', '{}', 'c:e30=', '', 0, '2026-11-23 12:00:00+00:00', '2026-11-23 12:00:00+00:00')`,
			`INSERT INTO jobs (id, cluster_id, rev, public_id, sched_id, token, owner, name, queue, state, reason, wanted, released, spec, command_line, priority, node_list, nodes, cores, restarts, ends, exit_code, stdout, stderr, submitted, modified, tasks)
			 VALUES ('j', 'c', 1, '1', '1', 't', 'o', 'n', 'q', 'RUNNING', '', TRUE, TRUE, '{}', 'x', 0, '[]', 1, 1, 0, 0, 0, '', '', '2026-11-23 12:00:00+00:00', '2026-11-23 12:00:00+00:00', 5)`,
		} {
			if _, err := early.write.ExecContext(t.Context(), row); err != nil {
				t.Fatal(err)
			}
		}
		if err := early.Close(); err != nil {
			t.Fatal(err)
		}
		want(t, open(t, p), 5)
	})
}
