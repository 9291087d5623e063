package store

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// idsOf are the ids of a table's rows, in order.
func idsOf(t testing.TB, s *Store, table string) (ids []string) {
	t.Helper()
	rows, err := s.read.DB.QueryContext(t.Context(), "SELECT id FROM "+table+" ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return ids
}

// ofLongAgo is a job that was moved.
func ofLongAgo(t testing.TB, s *Store, schedID string) *Job {
	t.Helper()
	rows, err := s.Read().JobsOfSched(t.Context(), "c", []string{schedID})
	if err != nil || len(rows) != 1 || rows[0].past == 0 {
		t.Fatalf("jobs %v of %s, %v", rows, schedID, err)
	}
	return rows[0]
}

func TestJobsOfLongAgo(t *testing.T) { onEveryEngine(t, testJobsOfLongAgo) }

func testJobsOfLongAgo(t *testing.T, place func() Place) {
	// Three that ended, an hour after the other, and one that goes on.
	with := func(t *testing.T) *Store {
		s := withCluster(t, place())
		change(t, s, func(ctx context.Context, tx Tx) error {
			for i, id := range []string{"a", "b", "c", "d"} {
				j := &Job{ID: id, ClusterID: "c", PublicID: "p" + id, SchedID: "s" + id, Token: "t" + id, Owner: "ada", Name: "melt", Queue: "q", State: hpc.JobCompleted,
					Reason: "x", Spec: hpc.JobSpec{Token: "t" + id, Name: "melt", Nodes: 2}, NodeList: []string{"compute000"}, Nodes: 2, Cores: 4, ExitCode: 3,
					Stdout: "out", Submitted: now, Started: now.Add(time.Millisecond), Ended: now.Add(time.Duration(i) * time.Hour), Modified: now}
				if id == "d" {
					j.State, j.Ended = hpc.JobRunning, time.Time{}
				}
				if err := tx.InsertJob(ctx, j); err != nil {
					return err
				}
			}
			return nil
		})
		return s
	}
	move := func(t *testing.T, s *Store, before time.Time, limit, want int) {
		t.Helper()
		change(t, s, func(ctx context.Context, tx Tx) error {
			n, err := tx.MovePastJobs(ctx, "c", before, limit)
			if n != want {
				t.Errorf("%d were moved, want %d", n, want)
			}
			return err
		})
	}
	all := now.AddDate(1, 0, 0)
	t.Run("the earliest are moved first, a batch at a time, and none that goes on", func(t *testing.T) {
		s := with(t)
		move(t, s, now, 5, 0)
		move(t, s, all, 2, 2)
		if got := idsOf(t, s, "past_jobs"); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("moved are %v", got)
		}
		move(t, s, all, 2, 1)
		move(t, s, all, 2, 0)
		if got := idsOf(t, s, "jobs"); !slices.Equal(got, []string{"d"}) {
			t.Errorf("left are %v", got)
		}
		if there, err := s.Read().HasPastJobs(t.Context(), "c", all); there || err != nil {
			t.Errorf("there are more: %v, %v", there, err)
		}
		checkOpenTasks(t, s, "c")
	})
	t.Run("they are found by each of their ids, as they were", func(t *testing.T) {
		s := with(t)
		was, err := s.Read().JobsOfPublic(t.Context(), "c", []string{"pa", "pd"})
		if err != nil || len(was) != 2 {
			t.Fatal(was, err)
		}
		move(t, s, all, 9, 3)
		is, err := s.Read().JobsOfPublic(t.Context(), "c", []string{"pa", "pd"})
		if err != nil || len(is) != 2 {
			t.Fatal(is, err)
		}
		slices.SortFunc(is, func(a, b *Job) int { return map[bool]int{true: -1, false: 1}[a.ID < b.ID] })
		for i := range was {
			w, got := *was[i], *is[i]
			for _, at := range []*time.Time{&w.Submitted, &w.Started, &w.Ended, &w.Modified, &got.Submitted, &got.Started, &got.Ended, &got.Modified} {
				*at = at.UTC()
			}
			w.past, w.Seq, got.past, got.Seq = 0, 0, 0, 0
			if !reflect.DeepEqual(w, got) {
				t.Errorf("job %+v\nwas %+v", got, w)
			}
		}
		ofLongAgo(t, s, "sb")
		without, err := s.Read().TokensWithoutJob(t.Context(), "c", []string{"ta", "td", "tx"})
		if err != nil || len(without) != 1 || !without["tx"] {
			t.Errorf("without a job are %v, %v", without, err)
		}
	})
	t.Run("one that is saved is listed again, and nobody saves it twice", func(t *testing.T) {
		s := with(t)
		if _, n, err := s.Jobs(t.Context(), "c", JobFilter{}, nil, now, Page{1, 9}); n != 4 || err != nil {
			t.Fatal(n, err)
		}
		move(t, s, all, 9, 3)
		if _, n, err := s.Jobs(t.Context(), "c", JobFilter{}, nil, now, Page{1, 9}); n != 1 || err != nil {
			t.Errorf("%d are listed, %v", n, err)
		}
		j, twin := ofLongAgo(t, s, "sa"), ofLongAgo(t, s, "sa")
		j.State, j.Ended = hpc.JobRunning, time.Time{}
		change(t, s, func(ctx context.Context, tx Tx) error { return tx.SaveJob(ctx, j) })
		if err := s.Change(t.Context(), func(ctx context.Context, tx Tx) error { return tx.SaveJob(ctx, twin) }); !errors.Is(err, ErrConflict) {
			t.Errorf("err = %v, want ErrConflict", err)
		}
		rows, n, err := s.Jobs(t.Context(), "c", JobFilter{}, nil, now, Page{1, 9})
		if n != 2 || err != nil || rows[1].ID != "a" || rows[1].State != hpc.JobRunning {
			t.Errorf("%d are listed: %v, %v", n, rows, err)
		}
		checkOpenTasks(t, s, "c")
		j.State, j.Ended = hpc.JobCompleted, now
		change(t, s, func(ctx context.Context, tx Tx) error { return tx.SaveJob(ctx, j) })
		move(t, s, all, 9, 1)
		if got := idsOf(t, s, "past_jobs"); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("moved are %v", got)
		}
	})
	t.Run("a deleted one is found by its owner no more", func(t *testing.T) {
		s := with(t)
		move(t, s, all, 9, 3)
		j := ofLongAgo(t, s, "sa")
		j.Deleted = now
		change(t, s, func(ctx context.Context, tx Tx) error { return tx.SaveJob(ctx, j) })
		for range 2 { // as a row that is listed no more, and of long ago again
			if rows, err := s.Read().JobsOfPublic(t.Context(), "c", []string{"pa"}); len(rows) != 0 || err != nil {
				t.Errorf("found %v, %v", rows, err)
			}
			change(t, s, func(ctx context.Context, tx Tx) error { _, err := tx.MovePastJobs(ctx, "c", all, 9); return err })
		}
	})
	t.Run("they go with their cluster, and no other's", func(t *testing.T) {
		s := with(t)
		change(t, s, func(ctx context.Context, tx Tx) error {
			other := &Cluster{ID: "e", Owner: "o", Created: now, Changed: now}
			if err := tx.InsertCluster(ctx, other, hpc.Secrets{}); err != nil {
				return err
			}
			return tx.InsertJob(ctx, &Job{ID: "e", ClusterID: "e", NodeList: []string{}, Submitted: now, Modified: now})
		})
		move(t, s, all, 2, 2)
		remove := func(want int) {
			t.Helper()
			change(t, s, func(ctx context.Context, tx Tx) error {
				n, err := tx.DeleteJobsOfGone(ctx, 1)
				if n != want {
					t.Errorf("%d were deleted, want %d", n, want)
				}
				return err
			})
		}
		remove(0)
		change(t, s, func(ctx context.Context, tx Tx) error {
			return errors.Join(tx.UnwantCluster(ctx, "c", now), tx.DropNode(ctx, "i-1", now), tx.DropCluster(ctx, "c", now))
		})
		remove(2)
		remove(2)
		remove(0)
		if hot, past := idsOf(t, s, "jobs"), idsOf(t, s, "past_jobs"); !slices.Equal(hot, []string{"e"}) || len(past) > 0 {
			t.Errorf("left are %v and %v", hot, past)
		}
	})
}
