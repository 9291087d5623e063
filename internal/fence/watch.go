package fence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ehpc/internal/hpc"
)

// Watch looks after the processes that stand for the runs of a node, and writes
// down the death of one that dies without an end. What it watches it notes in
// a directory of the node's own disk, so that an agent that is started again
// takes it up.
type Watch struct {
	journal *Journal
	dir     string
	changed func()
	log     *slog.Logger

	mu      sync.Mutex
	watched map[string]bool
}

// watchedRun is a run and when its process began, in the host's clock ticks: a
// process id alone may be another's by now.
type watchedRun struct {
	Run   hpc.Run
	Began string
}

// NewWatch takes up what an earlier agent noted in dir. It calls changed, which
// must not block, when a run begins or ends.
func NewWatch(j *Journal, dir string, changed func(), log *slog.Logger) (*Watch, error) {
	w := &Watch{journal: j, dir: dir, changed: changed, log: log, watched: map[string]bool{}}
	notes, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, note := range notes {
		var run watchedRun
		text, err := os.ReadFile(note)
		if err == nil {
			err = json.Unmarshal(text, &run)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot take up the watch over runs: %w", err)
		}
		w.start(run)
	}
	return w, nil
}

func (w *Watch) path(r hpc.Run) string {
	return filepath.Join(w.dir, filepath.Base(w.journal.runPath(r.Token, r.Task, r.N))+".json")
}

// note remembers a run, before it is told to begin.
func (w *Watch) note(r hpc.Run) error {
	began, err := processBegan(r.PID)
	if err != nil {
		return fmt.Errorf("cannot watch process %d: %w", r.PID, err)
	}
	text, err := json.Marshal(watchedRun{r, began})
	if err == nil {
		err = os.MkdirAll(w.dir, 0o700)
	}
	if err == nil { // by a rename, so that it is whole; the node's disk does not outlive a power cut anyway
		fresh := w.path(r) + ".new"
		if err = os.WriteFile(fresh, text, 0o600); err == nil {
			err = os.Rename(fresh, w.path(r))
		}
	}
	if err != nil {
		return fmt.Errorf("cannot note a run: %w", err)
	}
	return nil
}

// follow watches a noted run.
func (w *Watch) follow(r hpc.Run) {
	began, err := processBegan(r.PID)
	if err != nil {
		began = "" // it is gone already
	}
	w.start(watchedRun{r, began})
}

func (w *Watch) start(run watchedRun) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched[w.path(run.Run)] {
		return
	}
	w.watched[w.path(run.Run)] = true
	w.changed()
	go w.wait(run)
}

// wait waits for the process's end and settles the run.
func (w *Watch) wait(run watchedRun) {
	path := w.path(run.Run)
	waitForDeath(run.Run.PID, run.Began)
	defer w.changed()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Minute) {
		err := w.journal.NoteDeath(run.Run, "it was killed", time.Now())
		if err == nil || errors.Is(err, fs.ErrNotExist) { // it was noted and never began
			break
		}
		w.log.Warn("cannot settle a run", "err", err)
		time.Sleep(wait)
	}
	if err := os.Remove(path); err != nil {
		w.log.Warn("cannot forget a run", "err", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watched, path)
}

// waitForDeath returns once the process that began then has ended.
func waitForDeath(pid int, began string) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if now, err := processBegan(pid); err != nil || now != began {
		return
	}
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// processBegan is when a process began, in clock ticks after the host's start.
func processBegan(pid int) (string, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", err
	}
	// The name, in parentheses, may hold anything.
	at := strings.LastIndex(string(text), ") ")
	fields := strings.Fields(string(text[max(at, 0):]))
	if at < 0 || len(fields) < 21 {
		return "", fmt.Errorf("/proc/%d/stat is malformed", pid)
	}
	return fields[20], nil
}
