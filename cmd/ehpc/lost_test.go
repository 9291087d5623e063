package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestAServiceThatLosesItsData(t *testing.T) {
	t.Parallel()
	gone := errors.New("/data/ehpc.db was removed")
	t.Run("ends within a second, and says so alone", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, end := context.WithCancelCause(t.Context())
			begun := time.Now()
			lost := func() error {
				if time.Since(begun) < 10*time.Second {
					return nil
				}
				return gone
			}
			watchData(ctx, lost, end)
			if took := time.Since(begun); took > 11*time.Second || ctx.Err() == nil {
				t.Errorf("after %s: %v", took, ctx.Err())
			}
			const want = "the service has stopped since its data directory is not there any more (/data/ehpc.db was removed); its nodes and their jobs go on"
			if err := orLost(ctx, errors.New("disk I/O error")); err == nil || err.Error() != want {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("answers nothing any more", func(t *testing.T) {
		t.Parallel()
		asked := false
		next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true })
		w := httptest.NewRecorder()
		unlessLost(func() error { return gone }, next).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if asked || w.Code != http.StatusServiceUnavailable {
			t.Errorf("answered %d", w.Code)
		}
		unlessLost(func() error { return nil }, next).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if !asked {
			t.Error("answered nothing while all was there")
		}
	})
	t.Run("and one that is ended by a person says nothing of it", func(t *testing.T) {
		t.Parallel()
		ctx, end := context.WithCancelCause(t.Context())
		end(nil)
		watchData(ctx, func() error { return nil }, end)
		if err := orLost(ctx, nil); err != nil {
			t.Error(err)
		}
	})
}
