package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

func TestACommandBeginsOnce(t *testing.T) {
	t.Parallel()
	j := journal{dir: t.TempDir()}
	var fresh atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			first, err := j.begin(hpc.Command{ID: "c-1", Content: "true"}, time.Now())
			if err != nil {
				t.Error(err)
			}
			if first {
				fresh.Add(1)
			}
		})
	}
	wg.Wait()
	if n := fresh.Load(); n != 1 {
		t.Errorf("%d calls at the same time began it", n)
	}
	if e, err := j.entry("c-1"); err != nil || e.Command.Content != "true" {
		t.Errorf("the journal has %+v, %v", e, err)
	}
}

func TestTheJournalIsHeldToItsBounds(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ids := func(t *testing.T, j journal, suffix string) (list []string) {
		files, err := j.list(suffix)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			list = append(list, f.id)
		}
		slices.Sort(list)
		return list
	}
	fill := func(t *testing.T, count int, age time.Duration) journal {
		j := journal{dir: t.TempDir()}
		for i := range count {
			id := fmt.Sprint("c-", i)
			for _, path := range []string{j.asked(id), j.result(id), j.lock(id)} {
				if err := os.WriteFile(path, []byte(`{"Command":{"ID":"`+id+`"}}`), 0o600); err != nil {
					t.Fatal(err)
				}
				at := now.Add(-age - time.Duration(i)*time.Second) // c-0 is the newest
				if err := os.Chtimes(path, at, at); err != nil {
					t.Fatal(err)
				}
			}
		}
		return j
	}
	all := func(string) bool { return true }
	t.Run("old results go, and what runs stays", func(t *testing.T) {
		t.Parallel()
		j := fill(t, 3, keepResults+time.Hour)
		if err := j.prune(now, func(id string) bool { return id != "c-1" }); err != nil {
			t.Fatal(err)
		}
		if got := ids(t, j, askedSuffix); !slices.Equal(got, []string{"c-1"}) {
			t.Errorf("what is kept is %v", got)
		}
		if fresh, err := j.begin(hpc.Command{ID: "c-0"}, now); err != nil || fresh {
			t.Errorf("a forgotten command begins again: %v", err)
		}
		if left, _ := filepath.Glob(j.dir + "/c-0*"); len(left) != 1 {
			t.Errorf("of a forgotten command is left %v", left)
		}
	})
	t.Run("of too many the oldest go", func(t *testing.T) {
		t.Parallel()
		j := fill(t, maxResults+2, time.Minute)
		if err := j.prune(now, all); err != nil {
			t.Fatal(err)
		}
		if got := ids(t, j, forgottenSuffix); !slices.Equal(got, []string{fmt.Sprint("c-", maxResults), fmt.Sprint("c-", maxResults+1)}) {
			t.Errorf("forgotten are %v", got)
		}
	})
	t.Run("in the end not even a mark is left", func(t *testing.T) {
		t.Parallel()
		j := fill(t, 2, keepResults+time.Hour)
		if err := j.prune(now, all); err != nil {
			t.Fatal(err)
		}
		if err := j.prune(time.Now().Add(keepForgotten+time.Hour), all); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(j.dir); err != nil || len(left) > 0 {
			t.Errorf("left is %v, %v", left, err)
		}
	})
	t.Run("a result that was received is forgotten, one that is not there is not", func(t *testing.T) {
		t.Parallel()
		j := fill(t, 2, 0)
		a := &Agent{journal: j}
		if err := errors.Join(a.ForgetCommand(t.Context(), "c-0"), a.ForgetCommand(t.Context(), "c-none")); err != nil {
			t.Fatal(err)
		}
		if got := ids(t, j, forgottenSuffix); !slices.Equal(got, []string{"c-0"}) {
			t.Errorf("forgotten are %v", got)
		}
		lock, err := os.Open(j.lock("c-1")) // as its runner holds it
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close()
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
			t.Fatal(err)
		}
		if err := a.ForgetCommand(t.Context(), "c-1"); err != nil {
			t.Fatal(err)
		}
		if got := ids(t, j, askedSuffix); !slices.Equal(got, []string{"c-1"}) {
			t.Errorf("a command that runs was forgotten: %v", got)
		}
	})
}
