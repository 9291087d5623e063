package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// stub is a scheduler that answers what it is told to.
type stub struct {
	scheduler.Scheduler
	err   error
	id    string
	seen  scheduler.Observation
	nodes []scheduler.Node
}

func (s stub) Submit(context.Context, hpc.JobSpec) (string, error) { return s.id, s.err }
func (s stub) Remove(context.Context, string) error                { return s.err }

func (s stub) Changes(context.Context, string, string) (scheduler.Observation, error) {
	return s.seen, s.err
}

func (s stub) Nodes(context.Context) ([]scheduler.Node, error) { return s.nodes, s.err }

func remote(t *testing.T, s stub) scheduler.Scheduler {
	t.Helper()
	server := httptest.NewServer(scheduler.Handler(s))
	t.Cleanup(server.Close)
	to, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return scheduler.NewRemote(&http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(to)}})
}

func TestErrorsKeepTheirKindOverTheWire(t *testing.T) {
	t.Parallel()
	for _, kind := range []error{scheduler.ErrUnavailable, scheduler.ErrNotFound, scheduler.ErrBusy, scheduler.ErrRejected} {
		t.Run(kind.Error(), func(t *testing.T) {
			t.Parallel()
			err := remote(t, stub{err: fmt.Errorf("cannot do it: %w: because", kind)}).Remove(t.Context(), "x")
			if !errors.Is(err, kind) || !strings.Contains(err.Error(), "because") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDishonestAnswersAreRefused(t *testing.T) {
	t.Parallel()
	good := scheduler.Job{ID: "1", State: hpc.JobRunning}
	with := func(change func(*scheduler.Job)) scheduler.Observation {
		job := good
		change(&job)
		return scheduler.Observation{Queue: []scheduler.Job{job}}
	}
	for name, seen := range map[string]scheduler.Observation{
		"a job without id":         with(func(j *scheduler.Job) { j.ID = "" }),
		"a very long id":           with(func(j *scheduler.Job) { j.ID = strings.Repeat("1", 300) }),
		"an unknown state":         with(func(j *scheduler.Job) { j.State = "EXPLODED" }),
		"our own state":            with(func(j *scheduler.Job) { j.State = hpc.JobAccepted }),
		"an ended job in queue":    with(func(j *scheduler.Job) { j.State = hpc.JobFailed }),
		"an impossible status":     with(func(j *scheduler.Job) { j.ExitCode = 256 }),
		"a running job at its end": {Ends: []scheduler.Job{good}},
		"a very long cursor":       {Cursor: strings.Repeat("1", 300)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := remote(t, stub{seen: seen}).Observe(t.Context(), ""); err == nil {
				t.Error("it was taken")
			}
		})
	}
	t.Run("a name as large as a disk", func(t *testing.T) {
		t.Parallel()
		seen := with(func(j *scheduler.Job) { j.Name = strings.Repeat("x", 1<<20) })
		if _, err := remote(t, stub{seen: seen}).Observe(t.Context(), ""); err == nil {
			t.Error("it was taken")
		}
	})
	for name, path := range map[string]string{"jobs": "changes", "nodes": "nodes"} {
		t.Run("more "+name+" than the server has memory for", func(t *testing.T) {
			t.Parallel()
			if err := flooded(t, path); err == nil || !strings.Contains(err.Error(), "a list of more than") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("an honest one is taken", func(t *testing.T) {
		t.Parallel()
		if o, err := remote(t, stub{seen: with(func(*scheduler.Job) {})}).Observe(t.Context(), ""); err != nil || len(o.Queue) != 1 {
			t.Errorf("got %+v, %v", o, err)
		}
	})
	t.Run("nodes in an unknown state", func(t *testing.T) {
		t.Parallel()
		if _, err := remote(t, stub{nodes: []scheduler.Node{{Name: "x", State: "melting"}}}).Nodes(t.Context()); err == nil {
			t.Error("they were taken")
		}
	})
	t.Run("a submission without an id", func(t *testing.T) {
		t.Parallel()
		if _, err := remote(t, stub{}).Submit(t.Context(), hpc.JobSpec{}); err == nil {
			t.Error("it was taken")
		}
	})
}

// flooded asks a node that answers with half a million empty items.
func flooded(t *testing.T, path string) error {
	items := "[" + strings.Repeat("{},", 500_000) + "{}]"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if path == "changes" {
			fmt.Fprintf(w, `{"Queue":%s}`, items)
			return
		}
		fmt.Fprint(w, items)
	}))
	defer server.Close()
	to, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := scheduler.NewRemote(&http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(to)}})
	if path == "changes" {
		_, err = s.Observe(t.Context(), "")
	} else {
		_, err = s.Nodes(t.Context())
	}
	return err
}
