package agent

import (
	"sync"
	"sync/atomic"
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
