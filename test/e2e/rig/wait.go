package rig

import (
	"testing"
	"time"
)

// Must ends a test that cannot go on.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Until looks again and again until it is so; longer than the limit is a failure.
func Until(t testing.TB, what string, limit time.Duration, yes func() bool) {
	t.Helper()
	deadline, tick := time.After(limit), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-deadline:
			t.Fatalf("it took longer than %s until %s", limit, what)
		case <-t.Context().Done():
			t.Fatalf("the test was ended before %s", what)
		case <-tick.C:
		}
	}
}
