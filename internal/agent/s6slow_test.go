package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ehpc/internal/scheduler"
)

// slowS6 stands in for s6's tools: each takes so long, and the service answers
// after the time since the test began; zero is never.
type slowS6 struct {
	tool    time.Duration
	answers time.Duration
	stops   time.Duration // that the service takes to end
	dies    bool
	begun   time.Time
	called  []string
}

func (f *slowS6) exec(ctx context.Context, argv ...string) ([]byte, error) {
	f.called = append(f.called, strings.Join(argv, " "))
	select {
	case <-time.After(f.tool):
	case <-ctx.Done():
		return nil, errors.New("signal: killed")
	}
	switch {
	case argv[0] == "s6-svc" && argv[1] == "-wD":
		limit, err := time.ParseDuration(argv[3] + "ms")
		if time.Sleep(min(limit, f.stops)); f.stops > limit {
			err = errors.New("exit status 99")
		}
		return nil, err
	case argv[0] == "s6-svstat" && f.dies:
		return []byte("false true\n"), nil
	case argv[0] == "s6-svstat":
		return []byte("true true\n"), nil
	case argv[0] == "s6-svdt":
		return []byte(strings.Repeat("@4000 exitcode 1\n", int(time.Since(f.begun)/time.Second))), nil
	case argv[0] == "answers" && (f.answers == 0 || time.Since(f.begun) < f.answers):
		return nil, errors.New("exit status 1")
	}
	return nil, nil
}

// ensureOn brings a service up that began with the script, or another, and says
// how long that took.
func ensureOn(t *testing.T, f *slowS6, script string) (took time.Duration, err error) {
	t.Helper()
	dir, logs := t.TempDir(), t.TempDir()
	d := Daemon{Service: scheduler.Service{Name: "slurmctld",
		Argv: []string{"/usr/sbin/slurmctld"}, Ready: []string{"answers"}}}
	if script == "" {
		script = string(runScript(d))
	}
	for path, text := range map[string]string{
		filepath.Join(dir, d.Name, begunMark):  script,
		filepath.Join(dir, d.Name, oursMark):   "",
		filepath.Join(logs, d.Name, "current"): "slurmctld: reading the state\n",
	} {
		fatal(t, os.MkdirAll(filepath.Dir(path), 0o755))
		fatal(t, os.WriteFile(path, []byte(text), 0o644))
	}
	f.begun = time.Now()
	_, err = S6{Root: t.TempDir(), Dir: dir, Logs: logs, exec: f.exec}.Ensure(t.Context(), []Daemon{d})
	return time.Since(f.begun), err
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestASlowService(t *testing.T) {
	in := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
	in("one that answers after 3.5 minutes is waited for and not restarted", func(t *testing.T) {
		f := &slowS6{tool: time.Millisecond, answers: 210 * time.Second}
		if _, err := ensureOn(t, f, ""); err != nil {
			t.Error(err)
		}
		if i := slices.IndexFunc(f.called, func(c string) bool { return strings.HasPrefix(c, "s6-svc ") }); i >= 0 {
			t.Errorf("it was told %s", f.called[i])
		}
	})
	in("one that never answers is told, with the end of its log", func(t *testing.T) {
		_, err := ensureOn(t, &slowS6{tool: time.Millisecond}, "")
		if err == nil || !strings.Contains(err.Error(), "cannot bring up slurmctld") ||
			!strings.Contains(err.Error(), "reading the state") {
			t.Errorf("err = %v", err)
		}
	})
	in("one that ends again and again is told long before", func(t *testing.T) {
		took, err := ensureOn(t, &slowS6{tool: time.Millisecond, dies: true}, "")
		if err == nil || !strings.Contains(err.Error(), "it ended") || took > time.Minute {
			t.Errorf("err = %v after %s", err, took)
		}
	})
	in("tools of s6 that take 45 s each are waited for", func(t *testing.T) {
		if _, err := ensureOn(t, &slowS6{tool: 45 * time.Second, answers: time.Second}, "another script"); err != nil {
			t.Error(err)
		}
	})
	in("one that takes 40 s to end is waited for", func(t *testing.T) {
		if _, err := ensureOn(t, &slowS6{stops: 40 * time.Second, answers: time.Second}, "another script"); err != nil {
			t.Error(err)
		}
	})
	in("a tool of s6 that never ends is told by its name", func(t *testing.T) {
		_, err := ensureOn(t, &slowS6{tool: time.Hour}, "another script")
		if err == nil || !strings.Contains(err.Error(), "s6-") {
			t.Errorf("err = %v", err)
		}
	})
}
