package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/meter"
)

// People's processes weigh less than the node's daemons: a job that keeps more
// threads busy than its node has cores does not slow down who looks after it.
const (
	// peopleGroup is the control group of what runs as accounts, below the node's own.
	peopleGroup = "ehpc-people"
	// peopleShares and peopleWeight are all of it against one thread of a daemon,
	// which has 1024 or 100: the kernel's scales of version 1 and 2.
	peopleShares, peopleWeight = "102", "10"
	// weighEvery is how soon that holds for what has not claimed a run: tasks of a
	// job on its other nodes, and sessions.
	weighEvery = 5 * time.Second
)

// weights are a node's control groups for processor time.
type weights struct {
	dir     string // where their hierarchy is mounted
	proc    string
	jobs    []string // patterns of the groups that schedulers make for jobs
	unified bool
}

// openWeights is nil on a machine without such groups.
func openWeights(root string, jobs []string) *weights {
	w := &weights{dir: root + "/sys/fs/cgroup", proc: root + "/proc", jobs: jobs}
	if _, err := os.Stat(w.dir + "/cgroup.controllers"); err == nil {
		w.unified = true
		return w
	}
	for _, name := range []string{"cpu", "cpu,cpuacct"} {
		if _, err := os.Stat(filepath.Join(w.dir, name, "cpu.shares")); err == nil {
			w.dir = filepath.Join(w.dir, name)
			return w
		}
	}
	return nil
}

// Weigh keeps people's processes below the node's daemons until ctx ends.
func (a *Agent) Weigh(ctx context.Context) {
	if a.weights == nil {
		a.opts.Log.Warn("jobs weigh as much as the node's daemons: there are no control groups for processor time")
		return
	}
	tick := time.NewTicker(weighEvery)
	defer tick.Stop()
	for {
		if err := a.weights.lowerAll(); err != nil {
			a.opts.Log.Warn("people's processes weigh as much as the node's daemons", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lowerAll lowers what runs as an account. Its error is the first one.
func (w *weights) lowerAll() error {
	entries, err := os.ReadDir(w.proc)
	if err != nil {
		return err
	}
	var first error
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !w.ofAccount(pid) {
			continue
		}
		if err := w.lower(pid); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (w *weights) ofAccount(pid int) bool {
	info, err := os.Stat(filepath.Join(w.proc, strconv.Itoa(pid)))
	if err != nil {
		return false // it has ended
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && s.Uid >= hpc.FirstUID
}

// lower makes a process weigh less. One that a scheduler has put into a group of
// its own stays there, for what it uses is counted there, and that group weighs less.
func (w *weights) lower(pid int) error {
	controller := "cpu"
	if w.unified {
		controller = ""
	}
	group, err := meter.GroupOf(w.proc, pid, controller)
	if err != nil || group == "" || group == "/"+peopleGroup {
		return err
	}
	if group != "/" {
		return w.lowerJobs(group)
	}
	if w.unified {
		return nil // a group of version 2 that has processes hands no controllers on
	}
	if err := os.Mkdir(filepath.Join(w.dir, peopleGroup), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot make a control group for people's processes: %w", err)
	}
	if err := w.weigh(peopleGroup); err != nil {
		return err
	}
	err = os.WriteFile(filepath.Join(w.dir, peopleGroup, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("cannot lower the weight of process %d: %w", pid, err)
	}
	return nil
}

// lowerJobs makes the groups weigh less that a scheduler has for all its jobs,
// which are above a job's own.
func (w *weights) lowerJobs(group string) error {
	parts := strings.Split(strings.TrimPrefix(group, "/"), "/")
	for _, pattern := range w.jobs {
		like := strings.Split(pattern, "/")
		if len(parts) < len(like) {
			continue
		}
		if ok, _ := filepath.Match(pattern, strings.Join(parts[:len(like)], "/")); !ok {
			continue
		}
		for i, name := range like[:len(like)-1] {
			if name == "*" {
				continue // others are in it, too
			}
			if err := w.weigh(strings.Join(parts[:i+1], "/")); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *weights) weigh(group string) error {
	file, value := "cpu.shares", peopleShares
	if w.unified {
		file, value = "cpu.weight", peopleWeight
	}
	path := filepath.Join(w.dir, group, file)
	have, err := os.ReadFile(path)
	if err == nil && strings.TrimSpace(string(have)) != value {
		err = os.WriteFile(path, []byte(value), 0)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // which no controller is for, or which has just gone
		return fmt.Errorf("cannot lower the weight of control group %s: %w", group, err)
	}
	return nil
}
