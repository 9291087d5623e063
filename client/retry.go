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
	maxPause   = 5 * time.Second        // longer waits are left to the caller
)

// retry tries again, with a growing pause, while the failure may be a passing
// one: the network, a failing service, throttling.
func (c *Client) retry(ctx context.Context, repeatable bool, try func() (json.RawMessage, error)) (json.RawMessage, error) {
	pause := firstPause
	for n := 1; ; n++ {
		answer, err := try()
		if err == nil || n == tries || !repeatable || ctx.Err() != nil || !passing(err) {
			return answer, err
		}
		wait := pause/2 + rand.N(pause/2)
		var refused *Error
		if errors.As(err, &refused) && refused.RetryAfter > 0 {
			wait = refused.RetryAfter
		}
		if wait > maxPause {
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w; ended before the next try: %w", err, ctx.Err())
		}
		pause *= 2
	}
}

// passing tells whether a failure may be gone at the next try.
func passing(err error) bool {
	var refused *Error
	if !errors.As(err, &refused) {
		return true // not answered at all
	}
	switch refused.HTTPStatus {
	case http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented:
		return false
	}
	return refused.HTTPStatus >= 500
}
