package store

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store/pgtest"
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

func TestMain(m *testing.M) { pgtest.Main(m, checkPlans) }

func open(t testing.TB, p Place) *Store {
	t.Helper()
	if p.URL == "" && p.Watch == nil {
		p.Watch = asked.Note
	}
	s, err := OpenAt(t.Context(), p, plainSealer{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// engines are the databases that a store can be on: each test runs on all of
// them, on a new one.
var engines = map[string]func(testing.TB) Place{
	"sqlite":   func(t testing.TB) Place { return Place{Dir: t.TempDir()} },
	"postgres": func(t testing.TB) Place { return Place{Dir: t.TempDir(), URL: pgtest.URL(t)} },
}

func onEveryEngine(t *testing.T, test func(t *testing.T, place func() Place)) {
	t.Parallel()
	for name, place := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, func() Place { return place(t) })
		})
	}
}

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func change(t testing.TB, s *Store, fn func(ctx context.Context, tx Tx) error) {
	t.Helper()
	if err := s.Change(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// withCluster is a store with one cluster of one node.
func withCluster(t testing.TB, p Place) *Store {
	s := open(t, p)
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

func TestStore(t *testing.T) { onEveryEngine(t, testStore) }

func testStore(t *testing.T, place func() Place) {
	t.Run("what was written is read again", func(t *testing.T) {
		s := withCluster(t, place())
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
		s := withCluster(t, place())
		c, _ := s.Read().Cluster(t.Context(), "c")
		step := func(ctx context.Context, tx Tx) error { return tx.StepCluster(ctx, c, hpc.ClusterCreating, "", now) }
		change(t, s, step)
		if err := s.Change(t.Context(), step); !errors.Is(err, ErrConflict) {
			t.Errorf("err = %v, want ErrConflict", err)
		}
	})
	t.Run("a transaction that fails leaves nothing", func(t *testing.T) {
		s := withCluster(t, place())
		failed := errors.New("no")
		err := s.Change(t.Context(), func(ctx context.Context, tx Tx) error {
			return errors.Join(tx.Log(ctx, "c", "Test", Info, "line", now), failed)
		})
		if _, n, _ := s.Read().Logs(t.Context(), "c", Page{1, 10}); !errors.Is(err, failed) || n != 0 {
			t.Errorf("err %v, %d lines", err, n)
		}
	})
	t.Run("a deleted cluster is gone, its log stays", func(t *testing.T) {
		s := withCluster(t, place())
		change(t, s, func(ctx context.Context, tx Tx) error {
			return errors.Join(tx.UnwantCluster(ctx, "c", now), tx.DropNode(ctx, "i-1", now), tx.Log(ctx, "c", "x", Info, "line", now), tx.DropCluster(ctx, "c", now))
		})
		if _, err := s.Read().Cluster(t.Context(), "c"); !errors.Is(err, ErrNotFound) {
			t.Errorf("err = %v", err)
		}
		if _, n, err := s.Read().Logs(t.Context(), "c", Page{1, 10}); n != 1 || err != nil {
			t.Errorf("%d lines, %v", n, err)
		}
	})
}

func TestAccountsKeepTheirUids(t *testing.T) { onEveryEngine(t, testAccounts) }

func testAccounts(t *testing.T, place func() Place) {
	s := withCluster(t, place())
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

func TestAJobIsSavedOnlyAtItsRevision(t *testing.T) { onEveryEngine(t, testRevision) }

func testRevision(t *testing.T, place func() Place) {
	s := withCluster(t, place())
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
