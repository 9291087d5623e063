package bench

import (
	"sync"
	"time"
)

// load is what some clients got done.
type load struct {
	seconds   float64
	latencies []float64 // in milliseconds
	fault     error
}

func (l load) rate() float64 { return float64(len(l.latencies)) / l.seconds }

// drive has so many clients ask, one request after the other, until more says
// that it is enough.
func drive(clients int, more func(asked int, since time.Duration) bool, ask func(n int) error) load {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		asked int
		sum   load
	)
	begun := time.Now()
	next := func() (n int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if sum.fault != nil || !more(asked, time.Since(begun)) {
			return 0, false
		}
		asked++
		return asked, true
	}
	for range clients {
		wg.Go(func() {
			for {
				n, ok := next()
				if !ok {
					return
				}
				at := time.Now()
				err := ask(n)
				took := milliseconds(time.Since(at))
				mu.Lock()
				if err != nil {
					sum.fault = err
				} else {
					sum.latencies = append(sum.latencies, took)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	sum.seconds = time.Since(begun).Seconds()
	return sum
}

// during and times bound what drive does.
func during(span time.Duration) func(int, time.Duration) bool {
	return func(_ int, since time.Duration) bool { return since < span }
}

func times(count int) func(int, time.Duration) bool {
	return func(asked int, _ time.Duration) bool { return asked < count }
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
