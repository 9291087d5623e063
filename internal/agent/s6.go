package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// S6 supervises with s6: one directory per service in Dir, which s6-svscan
// scans. A directory is ours if it holds the file "ehpc".
type S6 struct {
	Root string // "/" on a node
	Dir  string // "/service"
	Logs string // "/var/log/ehpc"

	exec func(ctx context.Context, argv ...string) (out []byte, err error) // nil for the node's commands
}

var _ Supervisor = S6{}

const (
	oursMark  = "ehpc"
	begunMark = "begun" // holds the run file that the service was started with
	// readyTimeout is how long a service that lives may take to answer: one that is
	// broken ends, and is told by that; one that is slow is waited for.
	readyTimeout = 4 * time.Minute
	// deathLimit is how often it may end meanwhile; s6 starts it again every second.
	deathLimit = 5
	// toolTimeout bounds what takes no time on a machine that is not busy. A start
	// that is given up in between begins with a restart.
	toolTimeout = time.Minute
)

// Ensure implements Supervisor.
func (s S6) Ensure(ctx context.Context, daemons []Daemon) ([]string, error) {
	wanted := map[string]bool{}
	for _, d := range daemons {
		wanted[d.Name] = true
	}
	if err := s.removeOthers(ctx, wanted); err != nil {
		return nil, err
	}
	var started []string
	for _, d := range daemons {
		anew, err := s.ensure(ctx, d)
		if err != nil {
			return started, fmt.Errorf("cannot bring up %s: %w", d.Name, err)
		}
		if anew {
			started = append(started, d.Name)
		}
	}
	return started, nil
}

// ensure brings one service up and tells whether it was started anew.
func (s S6) ensure(ctx context.Context, d Daemon) (anew bool, err error) {
	for _, dir := range d.Dirs {
		if err := (files{s.Root}).dir(dir); err != nil {
			return false, err
		}
	}
	dir := filepath.Join(s.Dir, d.Name)
	script := runScript(d)
	begun, err := os.ReadFile(filepath.Join(dir, begunMark))
	if err == nil && bytes.Equal(begun, script) {
		return false, s.waitReady(ctx, d)
	}
	if _, err = os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		err = s.add(ctx, d.Name, script)
	} else if err == nil {
		err = s.renew(ctx, dir, script)
	}
	if err != nil {
		return false, err
	}
	// Noted only now, so that a crash before makes it start once more.
	if err := replace(filepath.Join(dir, begunMark), script, 0o644, 0, 0); err != nil {
		return true, err
	}
	return true, s.waitReady(ctx, d)
}

// renew starts a service with another run file.
func (s S6) renew(ctx context.Context, dir string, script []byte) error {
	if err := replace(filepath.Join(dir, "run"), script, 0o755, 0, 0); err != nil {
		return err
	}
	// Down first: a readiness check must not meet the old process.
	if err := s.down(ctx, dir); err != nil {
		return err
	}
	return s.tool(ctx, "s6-svc", "-u", dir)
}

// Restart implements Supervisor.
func (s S6) Restart(ctx context.Context, name string) error {
	if err := s.tool(ctx, "s6-svc", "-r", filepath.Join(s.Dir, name)); err != nil {
		return fmt.Errorf("cannot restart %s: %w", name, err)
	}
	return nil
}

// add puts a whole new service directory in place and makes s6 look.
func (s S6) add(ctx context.Context, name string, run []byte) error {
	fresh := filepath.Join(s.Dir, "."+name)
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(fresh, "log"), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.Logs, name), 0o750); err != nil { // root's, whoever the daemon is
		return err
	}
	for _, f := range []struct {
		path string
		text []byte
		mode fs.FileMode
	}{
		{"run", run, 0o755},
		{"finish", []byte("#!/bin/sh\necho \"ehpc: ended with exit code $1, signal $2\"\n"), 0o755},
		{"log/run", []byte("#!/bin/sh\numask 027\nexec s6-log n3 s1000000 " + quote(filepath.Join(s.Logs, name)) + "\n"), 0o755},
		{oursMark, nil, 0o644},
	} {
		if err := os.WriteFile(filepath.Join(fresh, f.path), f.text, f.mode); err != nil {
			return err
		}
	}
	dir := filepath.Join(s.Dir, name)
	if err := os.Rename(fresh, dir); err != nil {
		return err
	}
	return s.notice(ctx, dir)
}

// notice makes s6 look after a service directory that is in place.
func (s S6) notice(ctx context.Context, dir string) error {
	if err := s.tool(ctx, "s6-svscanctl", "-a", s.Dir); err != nil {
		return err
	}
	return s.poll(ctx, toolTimeout, "s6 takes notice", func() bool { return s.noticed(ctx, dir) })
}

// noticed tells whether s6 looks after a service and knows how it is. By
// s6-svok it does so a moment too early: nothing can wait for the service yet.
func (s S6) noticed(ctx context.Context, dir string) bool {
	return s.tool(ctx, "s6-svstat", dir) == nil
}

// down ends a service and waits for it. One that was put in place and not
// noticed, by a crash in between, has to be noticed first.
func (s S6) down(ctx context.Context, dir string) error {
	if !s.noticed(ctx, dir) {
		if err := s.notice(ctx, dir); err != nil {
			return err
		}
	}
	return s.tool(ctx, "s6-svc", "-wD", "-T", "50000", "-d", dir)
}

// waitReady waits until the service runs and answers, or has ended too often.
func (s S6) waitReady(ctx context.Context, d Daemon) error {
	dir := filepath.Join(s.Dir, d.Name)
	if err := s.clearDeaths(ctx, dir); err != nil {
		return err
	}
	deaths := 0
	err := s.poll(ctx, readyTimeout, "it answers", func() bool {
		if s.status(ctx, dir) != "up" {
			deaths = s.deaths(ctx, dir)
			return deaths >= deathLimit
		}
		return d.Ready == nil || s.tool(ctx, d.Ready...) == nil
	})
	if err == nil && deaths >= deathLimit {
		err = fmt.Errorf("it ended %d times", deaths)
	}
	if err != nil {
		return fmt.Errorf("%w%s", err, s.logEnd(d.Name))
	}
	return nil
}

// clearDeaths begins the count anew. The tool and s6 write the same file beside
// the count: where a service ends at that moment, one of them does not find it.
func (s S6) clearDeaths(ctx context.Context, dir string) error {
	var last error
	err := s.poll(ctx, toolTimeout, "the count of its ends is cleared", func() bool {
		last = s.tool(ctx, "s6-svdt-clear", dir)
		return last == nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	return nil
}

// deaths counts how often the service ended since the count was cleared.
func (s S6) deaths(ctx context.Context, dir string) int {
	out, err := s.ask(ctx, "s6-svdt", dir)
	if err != nil {
		return 0
	}
	return bytes.Count(out, []byte("\n"))
}

// poll asks until the answer is yes, at growing intervals.
func (s S6) poll(ctx context.Context, limit time.Duration, what string, yes func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for wait := 5 * time.Millisecond; !yes(); wait = min(wait*3/2, 200*time.Millisecond) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain until %s: %w", what, ctx.Err())
		case <-time.After(wait):
		}
	}
	return nil
}

// removeOthers ends the services of ours that are no longer wanted.
func (s S6) removeOthers(ctx context.Context, wanted map[string]bool) error {
	names, err := s.ours()
	if err != nil {
		return err
	}
	removed := false
	for _, name := range names {
		if wanted[name] {
			continue
		}
		dir := filepath.Join(s.Dir, name)
		if err := s.down(ctx, dir); err != nil {
			return fmt.Errorf("cannot stop %s: %w", name, err)
		}
		// Without its directory s6 forgets the service, with its logger.
		gone := filepath.Join(s.Dir, ".gone-"+name)
		if err := errors.Join(os.RemoveAll(gone), os.Rename(dir, gone)); err != nil {
			return fmt.Errorf("cannot remove %s: %w", name, err)
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return s.tool(ctx, "s6-svscanctl", "-an", s.Dir)
}

func (s S6) ours() ([]string, error) {
	marks, err := filepath.Glob(filepath.Join(s.Dir, "[^.]*", oursMark))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, mark := range marks {
		names = append(names, filepath.Base(filepath.Dir(mark)))
	}
	return names, nil
}

// State implements Supervisor.
func (s S6) State(ctx context.Context) (map[string]string, error) {
	names, err := s.ours()
	if err != nil {
		return nil, fmt.Errorf("cannot list services: %w", err)
	}
	state := map[string]string{}
	for _, name := range names {
		state[name] = s.status(ctx, filepath.Join(s.Dir, name))
	}
	return state, nil
}

// status is "up", "failing" (should be up) or "down".
func (s S6) status(ctx context.Context, dir string) string {
	out, err := s.ask(ctx, "s6-svstat", "-o", "up,wantedup", dir)
	fields := strings.Fields(string(out))
	switch {
	case err != nil || len(fields) != 2:
		return "down"
	case fields[0] == "true":
		return "up"
	case fields[1] == "true":
		return "failing"
	}
	return "down"
}

func (s S6) tool(ctx context.Context, argv ...string) error {
	_, err := s.ask(ctx, argv...)
	return err
}

// ask runs a tool and returns what it prints; that explains a failure, too.
func (s S6) ask(ctx context.Context, argv ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	do := s.exec
	if do == nil {
		do = command
	}
	out, err := do(ctx, argv...)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, fmt.Errorf("%s has not ended in time: %w", argv[0], err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", argv[0], err)
	}
	return out, nil
}

// command runs a command of the node.
func command(ctx context.Context, argv ...string) ([]byte, error) {
	var stderr bytes.Buffer
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(slices.Concat(out, stderr.Bytes())))
	}
	return out, nil
}
