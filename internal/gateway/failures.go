package gateway

import (
	"context"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// failTime is when a failed try is answered, or a multiple of it when that took
	// longer: how long tells nothing of who has an account.
	failTime = 250 * time.Millisecond
	// maxFailures is how many failed tries an address has at a time. It gets one back
	// each failureAges: many people may be behind one address.
	maxFailures = 60
	failureAges = time.Second
	maxSources  = 10_000
)

// failures counts tries to log in that have failed, by the network they come from.
type failures struct {
	mu sync.Mutex
	of map[string]failed
}

// failed is how many tries had failed then, those that have aged left out.
type failed struct {
	count int
	then  time.Time
}

func (f failed) at(now time.Time) failed {
	aged := int(now.Sub(f.then) / failureAges)
	return failed{max(f.count-aged, 0), f.then.Add(time.Duration(aged) * failureAges)}
}

// wait is how long the source must wait before its next try, 0 if it need not.
func (f *failures) wait(source string, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	have := f.of[network(source)].at(now)
	if have.count < maxFailures {
		return 0
	}
	return have.then.Add(failureAges).Sub(now)
}

// add counts tries that have failed; fewer than 0 take back what turned out to be
// somebody who may come in.
func (f *failures) add(source string, tries int, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of == nil || len(f.of) >= maxSources {
		f.forget(now)
	}
	source = network(source)
	have := f.of[source]
	if have = have.at(now); have.count == 0 {
		have.then = now
	}
	if have.count = max(have.count+tries, 0); have.count == 0 {
		delete(f.of, source)
		return
	}
	f.of[source] = have
}

// forget makes room: those go whose failures have all aged, and all others if that
// is not enough. f.mu is held.
func (f *failures) forget(now time.Time) {
	kept := map[string]failed{}
	for source, have := range f.of {
		if have.at(now).count > 0 {
			kept[source] = have
		}
	}
	if len(kept) >= maxSources {
		kept = map[string]failed{}
	}
	f.of = kept
}

// evenly answers a try that fails at a time that tells nothing, see failTime.
func evenly(ctx context.Context, try func() (*ssh.Permissions, error)) (*ssh.Permissions, error) {
	begun := time.Now()
	p, err := try()
	if err == nil {
		return p, nil
	}
	select {
	case <-time.After(failTime - time.Since(begun)%failTime):
	case <-ctx.Done():
	}
	return nil, err
}
