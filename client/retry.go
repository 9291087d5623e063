package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	tries      = 4
	firstPause = 200 * time.Millisecond // doubles with every try
	longPause  = 2 * time.Second        // up to here
	maxPause   = 5 * time.Second        // longer waits are left to the caller, unless it has time for them
)

// retry tries again, with a growing pause, while the failure may be a passing
// one: the network, a failing service, throttling.
func (c *Client) retry(ctx context.Context, repeatable bool, try func() (json.RawMessage, error)) (json.RawMessage, error) {
	var failed time.Time // the first time
	told := false
	pause := firstPause
	for n := 1; ; n++ {
		answer, err := try()
		if told && !away(err) {
			c.config.Trying(nil, time.Since(failed))
			told = false
		}
		if err == nil || !repeatable || ctx.Err() != nil || !passing(err) {
			return answer, err
		}
		if n == 1 {
			failed = time.Now()
		}
		wait, again := c.pauseAfter(err, n, pause, time.Since(failed))
		if !again {
			return nil, err
		}
		if told = c.config.Trying != nil && away(err); told {
			c.config.Trying(err, time.Since(failed))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w; ended before the next try: %w", err, ctx.Err())
		}
		pause = min(2*pause, longPause)
	}
}

// pauseAfter is how long to wait after the n-th failure, and whether to try again
// then; since is the time since the first.
func (c *Client) pauseAfter(err error, n int, pause, since time.Duration) (wait time.Duration, again bool) {
	wait = pause/2 + rand.N(pause/2)
	var refused *Error
	if errors.As(err, &refused) && refused.RetryAfter > 0 {
		wait = refused.RetryAfter
		return wait, c.lasts(err) && since+wait <= c.config.RetryFor || n < tries && wait <= maxPause
	}
	if c.config.RetryFor > 0 && c.lasts(err) {
		left := c.config.RetryFor - since
		return min(wait, max(left, 0)), left > 0
	}
	return wait, n < tries
}

// lasts tells whether a failure may pass within RetryFor. A service that was
// never reached may not be there at all.
func (c *Client) lasts(err error) bool {
	return away(err) && (c.reached.Load() || !isUnreachable(err))
}

// away tells whether the service did not answer, or asks for another try.
func away(err error) bool {
	var refused *Error
	if !errors.As(err, &refused) {
		return isUnreachable(err)
	}
	switch refused.HTTPStatus {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// passing tells whether a failure may be gone at the next try.
func passing(err error) bool {
	var refused *Error
	switch {
	case away(err):
		return true
	case !errors.As(err, &refused):
		return false
	}
	return refused.HTTPStatus >= 500 && refused.HTTPStatus != http.StatusNotImplemented
}
