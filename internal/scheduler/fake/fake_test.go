package fake_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"ehpc/internal/fence"
	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/scheduler/fake"
	"ehpc/internal/scheduler/schedulertest"
)

var words = regexp.MustCompile(`(sleep|exit) (\d+)`)

// shell understands the suite's scripts.
func shell(spec hpc.JobSpec, _ string) fake.Outcome {
	var o fake.Outcome
	for _, m := range words.FindAllStringSubmatch(spec.Script, -1) {
		n, _ := strconv.Atoi(m[2])
		if m[1] == "sleep" {
			o.Duration = time.Duration(n) * time.Second
		} else {
			o.ExitCode = n
		}
	}
	return o
}

func scripted() *fake.Fake {
	f := fake.New()
	f.Script(shell)
	f.AddNode("compute000", 4)
	f.AddNode("compute001", 4)
	return f
}

func guarded(t *testing.T) scheduler.Scheduler {
	return &fence.Guard{Driver: scripted(), Journal: fence.Open(t.TempDir())}
}

func env(s scheduler.Scheduler) schedulertest.Env {
	return schedulertest.Env{Scheduler: s, Account: "ann", UID: 20000, Dir: "/home/ann", Node: "compute000", Nodes: 2}
}

func TestFakeConforms(t *testing.T) {
	t.Parallel()
	schedulertest.Run(t, func(t *testing.T) schedulertest.Env { return env(guarded(t)) })
}

func TestFakeConformsThroughTheRemote(t *testing.T) {
	t.Parallel()
	schedulertest.Run(t, func(t *testing.T) schedulertest.Env {
		server := httptest.NewServer(scheduler.Handler(guarded(t)))
		t.Cleanup(server.Close)
		return env(scheduler.NewRemote(through(server)))
	})
}

// through leads every request to the server, whatever host it names.
func through(server *httptest.Server) *http.Client {
	to, _ := url.Parse(server.URL)
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(to)}}
}

func TestVirtualJobs(t *testing.T) {
	t.Parallel()
	t.Run("an hour passes in no time under synctest", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := scripted()
			id, err := f.Submit(t.Context(), hpc.JobSpec{Token: "t", Script: "sleep 3600"})
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Release(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3600 * time.Second)
			synctest.Wait()
			o, err := f.Observe(t.Context(), "")
			if err != nil || len(o.Ends) != 1 || o.Ends[0].End.Sub(o.Ends[0].Start) != time.Hour {
				t.Errorf("observed %+v, %v", o, err)
			}
		})
	})
	t.Run("a fault hits one call, before or after its effect", func(t *testing.T) {
		f, boom := scripted(), errors.New("boom")
		f.Fail("Submit", boom)
		spec := hpc.JobSpec{Token: "t", Script: "exit 0"}
		if _, err := f.Submit(t.Context(), spec); !errors.Is(err, boom) {
			t.Fatalf("got %v", err)
		}
		if o, _ := f.Observe(t.Context(), ""); len(o.Queue) != 0 {
			t.Error("the failed submission is queued")
		}
		f.FailAfter("Submit", boom)
		if _, err := f.Submit(t.Context(), spec); !errors.Is(err, boom) {
			t.Fatalf("got %v", err)
		}
		if o, _ := f.Observe(t.Context(), ""); len(o.Queue) != 1 {
			t.Error("the submission whose answer was lost is not queued")
		}
	})
	t.Run("a stopped controller is unavailable and boots anew", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := scripted()
			before, _ := f.Observe(t.Context(), "")
			f.Stop()
			if _, err := f.Observe(t.Context(), ""); !errors.Is(err, scheduler.ErrUnavailable) {
				t.Errorf("got %v", err)
			}
			time.Sleep(time.Second)
			f.Start()
			if after, err := f.Observe(t.Context(), ""); err != nil || !after.Boot.After(before.Boot) {
				t.Errorf("boot %v after %v, %v", after.Boot, before.Boot, err)
			}
		})
	})
	t.Run("a cancelled context is told", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := scripted().Nodes(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
