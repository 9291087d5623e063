package reconcile

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// among is what keeps its pace beside so many others.
func among(others int) *inflight {
	f := &inflight{paces: map[string]pace{}}
	for i := range others {
		f.paces[strconv.Itoa(i)] = pace{until: time.Now().Add(time.Hour)}
	}
	return f
}

func TestWhatIsAskedForAgainAndAgainTakesItsShareOfTheTime(t *testing.T) {
	t.Parallel()
	for others, times := range map[int]int{0: 600, 40: 200, 200: 60} {
		t.Run(strconv.Itoa(others), func(t *testing.T) {
			t.Parallel()
			againAndAgain(t, others, times)
		})
	}
}

func againAndAgain(t *testing.T, others, times int) {
	synctest.Test(t, func(t *testing.T) {
		f := among(others)
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
		if ran < times*9/10 || ran > times*11/10 {
			t.Errorf("steps of 0.1 s ran %d times in a minute, want some %d", ran, times)
		}
		if last != asked {
			t.Errorf("the last that ran was the %d of %d", last, asked)
		}
	})
}

func TestWhatIsAskedForSeldomRunsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := among(200)
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
		f := among(200)
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
