package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// lostData is that a service's data directory went away under it.
type lostData struct{ cause error }

func (e *lostData) Error() string {
	return fmt.Sprintf("the service has stopped since its data directory is not there any more (%v); its nodes and their jobs go on", e.cause)
}

// lostEvery is how often a service looks after its data directory. It also looks
// before each answer.
const lostEvery = time.Second

// watchData ends ctx when the data directory is lost.
func watchData(ctx context.Context, lost func() error, end context.CancelCauseFunc) {
	tick := time.NewTicker(lostEvery)
	defer tick.Stop()
	for {
		if err := lost(); err != nil {
			end(&lostData{err})
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// unlessLost answers nothing from files that are not there any more.
func unlessLost(lost func() error, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lost() != nil {
			http.Error(w, "the service is stopping", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// orLost is why a service has ended: the loss of its data, which explains every
// other error, or err.
func orLost(ctx context.Context, err error) error {
	var lost *lostData
	if errors.As(context.Cause(ctx), &lost) {
		return lost
	}
	return err
}
