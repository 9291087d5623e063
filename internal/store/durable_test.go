package store

import (
	"context"
	"testing"

	"ehpc/internal/store/pgtest"
)

// TestWhatWasCommittedOutlivesTheDatabase kills PostgreSQL after a commit.
func TestWhatWasCommittedOutlivesTheDatabase(t *testing.T) {
	t.Parallel()
	pg := pgtest.Own(t)
	s := withCluster(t, Place{Dir: t.TempDir(), URL: pg.Schema(t)})
	if err := pg.Kill(); err != nil {
		t.Fatal(err)
	}
	err := s.Change(t.Context(), func(ctx context.Context, tx Tx) error { return tx.Log(ctx, "c", "Test", Info, "lost", now) })
	if err == nil {
		t.Error("a change without a database succeeded")
	}
	if err := pg.Run(); err != nil {
		t.Fatal(err)
	}
	if c, err := s.Read().Cluster(t.Context(), "c"); err != nil || c.ID != "c" {
		t.Errorf("cluster %+v, %v: the store must connect again by itself", c, err)
	}
	if _, n, err := s.Read().Logs(t.Context(), "c", Page{1, 10}); err != nil || n != 0 {
		t.Errorf("%d lines, %v", n, err)
	}
}
