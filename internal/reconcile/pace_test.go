package reconcile

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsAskedForAgainAndAgainTakesATenthOfTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f inflight
		ran, last, asked := 0, 0, 0
		begun := time.Now()
		for time.Since(begun) < time.Minute {
			asked++
			now := asked
			f.follow(t.Context(), "k", time.Hour, func() {
				time.Sleep(100 * time.Millisecond)
				ran++
				last = now
			})
			time.Sleep(10 * time.Millisecond)
		}
		f.wg.Wait()
		if ran < 55 || ran > 65 {
			t.Errorf("steps of 0.1 s ran %d times in a minute", ran)
		}
		if last != asked {
			t.Errorf("the last that ran was the %d of %d", last, asked)
		}
	})
}

func TestWhatIsAskedForSeldomRunsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f inflight
		for range 100 {
			asked := time.Now()
			for range 5 { // what one event wakes
				done := make(chan time.Time, 1)
				f.follow(t.Context(), "k", time.Hour, func() {
					time.Sleep(20 * time.Millisecond)
					done <- time.Now()
				})
				if took := (<-done).Sub(asked); took > 110*time.Millisecond {
					t.Fatalf("it had run after %s", took)
				}
				synctest.Wait()
			}
			time.Sleep(2 * time.Second)
		}
		f.wg.Wait()
	})
}

func TestARestIsBoundedAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f inflight
		ctx, cancel := context.WithCancel(t.Context())
		ask := func(ctx context.Context, key string) {
			f.follow(ctx, key, 2*time.Second, func() { time.Sleep(time.Minute) })
		}
		begun := time.Now()
		ask(t.Context(), "bounded")
		f.wg.Wait()
		if took := time.Since(begun); took != 62*time.Second {
			t.Errorf("a step of a minute and its rest took %s", took)
		}
		begun = time.Now()
		ask(ctx, "ended")
		time.Sleep(time.Minute + time.Millisecond)
		cancel()
		f.wg.Wait()
		if took := time.Since(begun); took > time.Minute+time.Millisecond {
			t.Errorf("it rested on after its context had ended: %s", took)
		}
	})
}
