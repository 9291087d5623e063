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
	watched map[string]*watchedRun
}

// watchedRun is a run and when its process began, in the host's clock ticks: a
// process id alone may be another's by now.
type watchedRun struct {
	Run   hpc.Run
	Began string
}

// watchedLimit bounds the runs that are watched at a time, each with a file
// descriptor: more than a node has cores.
const watchedLimit = 4096

// NewWatch takes up what an earlier agent noted in dir. It calls changed, which
// must not block, when a run begins or ends.
func NewWatch(j *Journal, dir string, changed func(), log *slog.Logger) (*Watch, error) {
	w := &Watch{journal: j, dir: dir, changed: changed, log: log, watched: map[string]*watchedRun{}}
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
		w.start(&run)
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
	if err := w.room(r, began); err != nil {
		return err
	}
	text, err := json.Marshal(watchedRun{Run: r, Began: began})
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

// room tells why the run cannot be watched beside the others: a process stands
// for one run, or an account's one process could stand for any number.
func (w *Watch) room(r hpc.Run, began string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched[w.path(r)] != nil {
		return nil // it asks again
	}
	if len(w.watched) >= watchedLimit {
		return fmt.Errorf("the node has %d runs already", len(w.watched))
	}
	if w.standsFor(r.PID, began) != nil {
		return fmt.Errorf("process %d stands for another run already", r.PID)
	}
	return nil
}

// standsFor is the run that the process stands for, nil if it stands for none.
// w.mu is held.
func (w *Watch) standsFor(pid int, began string) *hpc.Run {
	for _, one := range w.watched {
		if one.Run.PID == pid && one.Began == began {
			return &one.Run
		}
	}
	return nil
}

// errNoRun: a process told an end, and stands for no run.
var errNoRun = errors.New("the process stands for no run")

// end writes down, now, how the run ended that the process stands for. What it
// tells again, for an answer that was lost, changes nothing.
func (w *Watch) end(pid int, how end) error {
	began, err := processBegan(pid)
	if err != nil {
		return errNoRun
	}
	w.mu.Lock()
	run := w.standsFor(pid, began)
	w.mu.Unlock()
	if run == nil {
		return errNoRun
	}
	return w.journal.noteEnd(*run, how, time.Now())
}

// follow watches a noted run.
func (w *Watch) follow(r hpc.Run) {
	began, err := processBegan(r.PID)
	if err != nil {
		began = "" // it is gone already
	}
	w.start(&watchedRun{Run: r, Began: began})
}

// start watches a run, if it is not watched yet.
func (w *Watch) start(run *watchedRun) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched[w.path(run.Run)] != nil {
		return
	}
	w.watched[w.path(run.Run)] = run
	w.changed()
	go w.wait(run.Run, run.Began)
}

// wait waits for the process's end and settles the run.
func (w *Watch) wait(run hpc.Run, began string) {
	path := w.path(run)
	seen := waitForDeath(run.PID, began)
	died := time.Now()
	defer w.changed()
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Minute) {
		err := w.journal.NoteDeath(run, "it was killed", died)
		if err == nil && seen {
			err = w.journal.noteGone(run, died)
		}
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

// waitForDeath returns once the process that began then has ended, and tells
// whether that is now. It takes a file descriptor and no thread: there may be as
// many as jobs.
func waitForDeath(pid int, began string) (now bool) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), "process "+strconv.Itoa(pid))
	defer f.Close()
	if have, err := processBegan(pid); err != nil || have != began {
		return false
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	err = conn.Read(func(fd uintptr) (dead bool) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
	if err != nil {
		panic(err) // it is open, and a pidfd can be waited for
	}
	return true
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
