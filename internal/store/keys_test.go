package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestAKeyIsReadAsItIsNow(t *testing.T) { onEveryEngine(t, testKeyNow) }

func testKeyNow(t *testing.T, place func() Place) {
	s := open(t, place())
	change(t, s, func(ctx context.Context, tx Tx) error {
		return tx.InsertKey(ctx, Key{ID: "k", Owner: "o", Secret: "s", Enabled: true, Created: now})
	})
	var (
		wg       sync.WaitGroup
		disabled atomic.Bool
	)
	for range 8 {
		wg.Go(func() {
			for range 300 {
				before := disabled.Load()
				k, err := s.Key(t.Context(), "k")
				if err != nil || k.Secret != "s" || k.Owner != "o" {
					t.Errorf("key %+v, %v", k, err)
					return
				}
				if before && k.Enabled {
					t.Error("a key that was disabled before it was asked for is enabled")
					return
				}
			}
		})
	}
	change(t, s, func(ctx context.Context, tx Tx) error { return tx.EnableKey(ctx, "k", false) })
	disabled.Store(true)
	wg.Wait()
	if k, err := s.Key(t.Context(), "k"); err != nil || k.Enabled {
		t.Errorf("key %+v, %v", k, err)
	}
	if _, err := s.Key(t.Context(), "nobody's"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown key: %v", err)
	}
}
