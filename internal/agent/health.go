package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ehpc/internal/hpc"
)

// What is looked at: disks of the node's own, and parts of the cluster's volume.
var (
	ownDisks   = []string{"/", "/tmp"}
	shares     = []string{"/home", "/opt", "/ehpc/claims"}
	stateShare = "/ehpc/state" // the manager's
)

// lookLimit is how long a file system may take to answer.
const lookLimit = 3 * time.Second

// Health implements link.Node. It is cheap: no process is started, nothing is
// left behind.
func (a *Agent) Health(context.Context) (hpc.NodeHealth, error) {
	mounts, err := mountPoints(a.opts.Root + "/proc/self/mountinfo")
	if err != nil {
		return hpc.NodeHealth{}, fmt.Errorf("cannot tell what is mounted: %w", err)
	}
	want := shares
	if _, manager := a.Engine(); manager {
		want = append(slices.Clip(want), stateShare)
	}
	a.looks.one.Lock()
	defer a.looks.one.Unlock()
	disks, faults := make([]*hpc.Disk, len(ownDisks)), make([]string, len(want))
	var wg sync.WaitGroup
	for i, path := range ownDisks {
		wg.Go(func() {
			disks[i], _ = inTime(&a.looks, path, func() *hpc.Disk { return diskAt(a.opts.Root, path) })
		})
	}
	for i, path := range want {
		wg.Go(func() {
			if !mounts[path] {
				faults[i] = "is not mounted"
				return
			}
			fault, answered := inTime(&a.looks, path, func() string { return shareFault(a.opts.Root + path) })
			if faults[i] = fault; !answered {
				faults[i] = "does not answer"
			}
		})
	}
	wg.Wait()
	var h hpc.NodeHealth
	for _, d := range disks {
		if d != nil {
			h.Disks = append(h.Disks, *d)
		}
	}
	for i, path := range want {
		h.Shares = append(h.Shares, hpc.Share{Path: path, Fault: faults[i]})
	}
	h.Clock = time.Now()
	return h, nil
}

// mountPoints reads the format of /proc/self/mountinfo, which tells without
// asking the file systems themselves.
func mountPoints(path string) (map[string]bool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	points := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			points[fields[4]] = true
		}
	}
	return points, nil
}

// diskFault is what a trial of a disk of the node's own tells. Only what no account
// can bring about is a fault: a disk that errs, or that the kernel has made
// read-only since it did.
func diskFault(err error) string {
	if errors.Is(err, unix.EIO) || errors.Is(err, unix.EROFS) || errors.Is(err, unix.EUCLEAN) {
		return "cannot be written: " + err.Error()
	}
	return ""
}

// diskAt is nil for what does not tell.
func diskAt(root, path string) *hpc.Disk {
	var fs unix.Statfs_t
	if err := unix.Statfs(root+path, &fs); err != nil {
		return nil
	}
	unit := int64(fs.Frsize)
	if unit == 0 {
		unit = int64(fs.Bsize)
	}
	return &hpc.Disk{Path: path, Fault: diskFault(writeTrial(root + path)), Size: int64(fs.Blocks) * unit, Free: int64(fs.Bavail) * unit, Inodes: int64(fs.Files), FreeInodes: int64(fs.Ffree)}
}

// shareFault asks a mounted share, and writes to it. That it is full is no node's
// fault.
func shareFault(path string) string {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return "does not answer: " + err.Error()
	}
	err := writeTrial(path)
	if err == nil || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return ""
	}
	return "cannot be written: " + err.Error()
}

// writeTrial writes to a file that vanishes when it is closed; where the file
// system has none such, to one of the node's own that is removed.
func writeTrial(dir string) error {
	const flags = unix.O_WRONLY | unix.O_CLOEXEC
	fd, err := unix.Open(dir, unix.O_TMPFILE|flags, 0o600)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
		host, _ := os.Hostname()
		name := dir + "/.ehpc-trial-" + host
		if fd, err = unix.Open(name, unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|flags, 0o600); err != nil {
			return err
		}
		defer os.Remove(name)
	case err != nil:
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte{0})
	return err
}

// looks are those under way.
type looks struct {
	one     sync.Mutex // answer at a time
	mu      sync.Mutex
	hanging map[string]bool // by path
}

// inTime returns what look finds, unless that takes too long. A file system that
// hangs holds up one look for good: there is no second one before it is back.
func inTime[T any](l *looks, path string, look func() T) (found T, answered bool) {
	l.mu.Lock()
	if l.hanging[path] {
		l.mu.Unlock()
		return found, false
	}
	if l.hanging == nil {
		l.hanging = map[string]bool{}
	}
	l.hanging[path] = true
	l.mu.Unlock()
	back := make(chan T, 1)
	go func() {
		v := look()
		l.mu.Lock()
		delete(l.hanging, path)
		l.mu.Unlock()
		back <- v
	}()
	late := time.NewTimer(lookLimit)
	defer late.Stop()
	select {
	case found = <-back:
		return found, true
	case <-late.C:
		return found, false
	}
}
