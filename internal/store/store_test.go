package store

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
)

// plainSealer keeps secrets apart from what they are about, and no more.
type plainSealer struct{}

func (plainSealer) Seal(plain []byte, about string) (string, error) {
	return about + ":" + base64.StdEncoding.EncodeToString(plain), nil
}

func (plainSealer) Open(sealed, about string) ([]byte, error) {
	if len(sealed) < len(about) || sealed[:len(about)] != about {
		return nil, errors.New("sealed for something else")
	}
	return base64.StdEncoding.DecodeString(sealed[len(about)+1:])
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, plainSealer{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func change(t *testing.T, s *Store, fn func(ctx context.Context, tx Tx) error) {
	t.Helper()
	if err := s.Change(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// withCluster is a store with one cluster of one node.
func withCluster(t *testing.T) *Store {
	s := open(t, t.TempDir())
	change(t, s, func(ctx context.Context, tx Tx) error {
		c := &Cluster{ID: "c", Owner: "o", Status: hpc.ClusterUninit, Wanted: true, Created: now, Changed: now,
			Asked: api.CreateClusterRequest{Name: "n", VolumeId: "v"}}
		if err := tx.InsertCluster(ctx, c, hpc.Secrets{MungeKey: []byte("key")}); err != nil {
			return err
		}
		return tx.InsertNodes(ctx, []*Node{{ID: "i-1", ClusterID: "c", Hostname: "manager", Roles: []hpc.Role{hpc.RoleManager},
			InstanceType: hpc.InstanceType{Name: "t", Cores: 2}, Status: hpc.NodeUninit, Wanted: true, Created: now, Changed: now}})
	})
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	t.Run("what was written is read again", func(t *testing.T) {
		s := withCluster(t)
		c, err := s.Read().Cluster(t.Context(), "c")
		if err != nil || c.Asked.VolumeId != "v" || !c.Created.Equal(now) {
			t.Fatalf("cluster %+v, %v", c, err)
		}
		secrets, err := s.Read().OpenSecrets(c)
		if err != nil || string(secrets.MungeKey) != "key" {
			t.Errorf("secrets %v, %v", secrets, err)
		}
		nodes, err := s.Read().Nodes(t.Context(), "c")
		if err != nil || len(nodes) != 1 || nodes[0].InstanceType.Cores != 2 || !nodes[0].HasRole(hpc.RoleManager) {
			t.Errorf("nodes %v, %v", nodes, err)
		}
	})
	t.Run("a status is moved only from where it was read", func(t *testing.T) {
		s := withCluster(t)
		c, _ := s.Read().Cluster(t.Context(), "c")
		step := func(ctx context.Context, tx Tx) error { return tx.StepCluster(ctx, c, hpc.ClusterCreating, "", now) }
		change(t, s, step)
		if err := s.Change(t.Context(), step); !errors.Is(err, ErrConflict) {
			t.Errorf("err = %v, want ErrConflict", err)
		}
	})
	t.Run("a transaction that fails leaves nothing", func(t *testing.T) {
		s := withCluster(t)
		failed := errors.New("no")
		err := s.Change(t.Context(), func(ctx context.Context, tx Tx) error {
			return errors.Join(tx.Log(ctx, "c", "Test", Info, "line", now), failed)
		})
		if _, n, _ := s.Read().Logs(t.Context(), "c", Page{1, 10}); !errors.Is(err, failed) || n != 0 {
			t.Errorf("err %v, %d lines", err, n)
		}
	})
	t.Run("only one process has the store", func(t *testing.T) {
		dir := t.TempDir()
		open(t, dir)
		if _, err := Open(t.Context(), dir, plainSealer{}, slog.New(slog.DiscardHandler)); err == nil {
			t.Error("a second one got it too")
		}
	})
	t.Run("the files are for their owner alone", func(t *testing.T) {
		dir := t.TempDir()
		open(t, dir)
		for _, name := range []string{"ehpc.db", "ehpc.db-wal", "lock"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	})
	t.Run("a deleted cluster is gone, its log stays", func(t *testing.T) {
		s := withCluster(t)
		change(t, s, func(ctx context.Context, tx Tx) error {
			return errors.Join(tx.UnwantCluster(ctx, "c", now), tx.DropNode(ctx, "i-1"), tx.Log(ctx, "c", "x", Info, "line", now), tx.DropCluster(ctx, "c", now))
		})
		if _, err := s.Read().Cluster(t.Context(), "c"); !errors.Is(err, ErrNotFound) {
			t.Errorf("err = %v", err)
		}
		if _, n, err := s.Read().Logs(t.Context(), "c", Page{1, 10}); n != 1 || err != nil {
			t.Errorf("%d lines, %v", n, err)
		}
	})
}

func TestAccountsKeepTheirUids(t *testing.T) {
	t.Parallel()
	s := withCluster(t)
	add := func(name string) int {
		a := &Account{ClusterID: "c", Name: name, UserGroup: "users", Added: now}
		change(t, s, func(ctx context.Context, tx Tx) error { return tx.AddAccount(ctx, a) })
		return a.UID
	}
	if first, second := add("first"), add("second"); first != hpc.FirstUID || second != hpc.FirstUID+1 {
		t.Errorf("uids %d and %d", first, second)
	}
	err := s.Change(t.Context(), func(ctx context.Context, tx Tx) error {
		return tx.AddAccount(ctx, &Account{ClusterID: "c", Name: "first", Added: now})
	})
	if !errors.Is(err, ErrConflict) {
		t.Errorf("err = %v, want ErrConflict", err)
	}
}

func TestAJobIsSavedOnlyAtItsRevision(t *testing.T) {
	t.Parallel()
	s := withCluster(t)
	j := &Job{ID: NewID(), ClusterID: "c", PublicID: "1", SchedID: "1", State: hpc.JobPending, NodeList: []string{}, Submitted: now, Modified: now}
	change(t, s, func(ctx context.Context, tx Tx) error { return tx.InsertJob(ctx, j) })
	stale := *j
	j.State = hpc.JobRunning
	change(t, s, func(ctx context.Context, tx Tx) error { return tx.SaveJob(ctx, j) })
	if err := s.Change(t.Context(), func(ctx context.Context, tx Tx) error { return tx.SaveJob(ctx, &stale) }); !errors.Is(err, ErrConflict) {
		t.Errorf("err = %v, want ErrConflict", err)
	}
	got, err := s.Read().Job(t.Context(), j.ID)
	if err != nil || got.State != hpc.JobRunning {
		t.Errorf("job %+v, %v", got, err)
	}
}
