package fake

import (
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// A job whose node loses its power in the moment in which it would have ended
// has not come to its end.
func TestAJobOfANodeWithoutPowerDoesNotEnd(t *testing.T) {
	t.Parallel()
	f := New()
	ends := 0
	f.Guarded(Fence{
		Claim: func(run hpc.Run, _ int) (hpc.Run, string, int) { return run, "begin", 0 },
		End:   func(hpc.Run, int) { ends++ },
	})
	f.Script(func(hpc.JobSpec, string) Outcome { return Outcome{Duration: 10 * time.Millisecond} })
	f.AddNode("compute000", 1)
	id, err := f.Submit(t.Context(), hpc.JobSpec{Token: "a", Script: "true"})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Release(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	time.Sleep(20 * time.Millisecond) // its timer fires, and waits
	f.powerOff("compute000")
	f.mu.Unlock()
	time.Sleep(20 * time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	if ends > 0 || len(f.jobs) != 1 || f.jobs[0].view.State != hpc.JobRunning {
		t.Errorf("it came to its end %d times, and %d jobs are left", ends, len(f.jobs))
	}
}
