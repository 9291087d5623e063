package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/scheduler/fake"
)

func TestTheServerHearsOfChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := fake.New()
		f.AddNode("compute000", 1)
		a := &Agent{
			opts: Options{Log: slog.New(slog.DiscardHandler), Engines: map[string]scheduler.Engine{"fake": f}},
			last: applied{Scheduler: "fake", Manager: true},
		}
		ctx, cancel := context.WithCancel(t.Context())
		var told atomic.Int32
		var cut atomic.Bool
		done := make(chan struct{})
		go func() {
			a.Watch(ctx, func(context.Context) error {
				told.Add(1)
				if cut.Load() {
					return errors.New("no link")
				}
				return nil
			})
			close(done)
		}()
		after := func(what string, wait time.Duration, want int32) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			if got := told.Swap(0); got != want {
				t.Errorf("after %s the server was told %d times, want %d", what, got, want)
			}
		}
		after("the first look", 2*time.Second, 1)
		after("nothing", 10*time.Second, 0)
		id, err := f.Submit(t.Context(), hpc.JobSpec{Token: "t", Script: "x"})
		if err != nil {
			t.Fatal(err)
		}
		after("a submission", 2*time.Second, 1)
		cut.Store(true)
		if err := f.Release(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		after("an end that cannot be told", 10*time.Second, 10)
		cut.Store(false)
		after("the link is back", 5*time.Second, 1)
		if err := f.Drain(t.Context(), "compute000", "x"); err != nil {
			t.Fatal(err)
		}
		after("a drain", 2*time.Second, 1)
		cancel()
		<-done
	})
}

func TestTheServerHearsOfACommandsEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	waiting := filepath.Join(dir, "waiting")
	if err := os.WriteFile(waiting, []byte("#!/bin/sh\nuntil [ -e "+dir+"/go ]; do sleep 0.01; done\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	agent := func(program string) *Agent {
		a, err := New(Options{Root: t.TempDir(), Program: program, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	t.Run("of one that ends after its start was answered", func(t *testing.T) {
		a := agent(waiting)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		heard := make(chan struct{})
		go a.Watch(ctx, func(context.Context) error { close(heard); return nil })
		hurried, hurry := context.WithCancel(ctx)
		hurry()
		if err := a.StartCommand(hurried, hpc.Command{ID: "c-1", Content: "true"}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
		case <-ctx.Done():
			t.Error("the server was not told")
		}
	})
	t.Run("of a quick one from the answer to its start", func(t *testing.T) {
		a, begun := agent("/bin/true"), time.Now()
		if err := a.StartCommand(t.Context(), hpc.Command{ID: "c-1", Content: "true"}); err != nil {
			t.Fatal(err)
		}
		waited := time.Since(begun) < quick // a busy machine may take longer
		a.commands.Wait()
		if waited && len(a.ended) > 0 {
			t.Error("it is told again")
		}
	})
}
