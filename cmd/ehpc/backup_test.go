package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ehpc/internal/config"
	"ehpc/internal/store"
	"ehpc/internal/store/pgtest"
)

func TestMain(m *testing.M) {
	time.Local = time.FixedZone("NPT", 5*3600+45*60) // where the hour of no test is UTC's
	pgtest.Main(m)
}

// served is the open store of a service in dir.
func served(t *testing.T, dir, url string) *store.Store {
	t.Helper()
	conf := config.Default()
	conf.Data, conf.Store = dir, url
	place, sealer, err := storePlace(conf)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenAt(t.Context(), place, sealer, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestAServiceIsBackedUpWhileItServes(t *testing.T) {
	t.Parallel()
	dir, other, file := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "b")
	s := served(t, dir, "")
	key, err := makeKey(t.Context(), s, "me")
	if err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() { // it is busy meanwhile
		for n := 0; ; n++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
			}
			err := s.Change(context.WithoutCancel(t.Context()), func(ctx context.Context, tx store.Tx) error {
				return tx.Log(ctx, "c", "Test", store.Info, fmt.Sprint(n), time.Now())
			})
			if err != nil {
				stopped <- err
				return
			}
		}
	}()
	runWith(t, nil, "", "backup", file, "--data", dir).want(t, 0, "without the clusters' volumes", "")
	close(stop)
	if err := <-stopped; err != nil {
		t.Errorf("the service while it was backed up: %v", err)
	}
	runWith(t, nil, "", "backup", file, "--data", dir).want(t, 1, "", "already exists")
	runWith(t, nil, "", "restore", file, "--data", dir).want(t, 1, "", "another ehpc is using it")
	runWith(t, nil, "", "restore", file, "--data", other).want(t, 0, "restored the backup of "+time.Now().Format("2006-"), "")
	runWith(t, nil, "", "restore", file, "--data", other).want(t, 1, "", "there is a store already")

	got, err := served(t, other, "").Key(t.Context(), key.ID)
	if err != nil || got.Secret != key.Secret {
		t.Errorf("key %+v, %v", got, err)
	}
	if !restored(other, slog.New(slog.DiscardHandler)) || restored(dir, slog.New(slog.DiscardHandler)) {
		t.Error("the restored store does not say that it is one, or the other does")
	}
}

func TestABackupOntoAFullDiskSaysSo(t *testing.T) {
	t.Parallel()
	dir, at := t.TempDir(), t.TempDir()
	served(t, dir, "")
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=64k"); err != nil {
		if os.Getenv("EHPC_TEST_NO_SKIP") == "1" {
			t.Fatal(err)
		}
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
	runWith(t, nil, "", "backup", filepath.Join(at, "b"), "--data", dir).want(t, 1, "", "disk is full")
	if left, err := os.ReadDir(at); err != nil || len(left) > 0 {
		t.Errorf("left there: %v, %v", left, err)
	}
}

func TestWhatIsNoServiceIsNotBackedUp(t *testing.T) {
	t.Parallel()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "b")
	runWith(t, nil, "", "backup", file, "--data", dir).want(t, 1, "", "--data")
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("it made %v", left)
	}
}

func TestAServiceOnPostgreSQLIsReachedByItsConfiguration(t *testing.T) {
	t.Parallel()
	dir, url := t.TempDir(), pgtest.URL(t)
	file := filepath.Join(dir, "ehpc.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "data: %s\nstore: %s\n", dir, url), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, sealerFile), make([]byte, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	runWith(t, nil, "", "key", "list", "--config", file).want(t, 1, "", "no service has made it yet")
	db := served(t, dir, url)
	runWith(t, nil, "", "key", "create", "--owner", "me", "--config", file).want(t, 0, "ALIBABA_CLOUD_ACCESS_KEY_ID=", "")
	runWith(t, nil, "", "key", "list", "--config", file).want(t, 0, "me", "")
	runWith(t, nil, "", "backup", filepath.Join(dir, "b"), "--config", file).want(t, 1, "", "pg_dump")
	runWith(t, nil, "", "dev", "--config", file).want(t, 1, "", "ehpc server")

	first, err := identify(db, dir)
	again, err2 := identify(db, dir)
	if err != nil || err2 != nil || first != again || first.home == "" {
		t.Errorf("the server is %+v (%v), then %+v (%v)", first, err, again, err2)
	}
	if other, err := identify(db, t.TempDir()); err != nil || other == first {
		t.Errorf("another directory's server is %+v, %v", other, err)
	}
	if alone, err := identify(served(t, t.TempDir(), ""), dir); err != nil || alone.home != "" {
		t.Errorf("a server alone on its store is %+v, %v", alone, err)
	}
}

func TestAServerDoesNotStartOnAWrongConfiguration(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ehpc.yaml")
	if err := os.WriteFile(file, []byte("stroe: postgres://x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := runWith(t, nil, "", "server", "--config", file)
	o.want(t, 1, "", "stroe")
	if !strings.Contains(o.err, file) {
		t.Errorf("the error does not name the file: %s", o.err)
	}
	runWith(t, nil, "", "server", "--config", file+".not").want(t, 1, "", "no such file")
}
