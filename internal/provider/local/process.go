package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// process names a process for ever: process ids come back, this does not.
type process struct {
	PID      int    `json:"pid"`
	Start    uint64 `json:"start"`     // in clock ticks since the host's boot
	HostBoot string `json:"host_boot"` // the host's boot
}

// identify names the process that has the id now.
func identify(pid int) (process, error) {
	start, _, err := readStat(pid)
	if err != nil {
		return process{}, err
	}
	boot, err := hostBoot()
	if err != nil {
		return process{}, err
	}
	return process{PID: pid, Start: start, HostBoot: boot}, nil
}

// alive tells whether the process has not ended; one that nobody reaped yet has.
func (p process) alive() bool {
	if p.PID <= 0 {
		return false
	}
	start, state, err := readStat(p.PID)
	if err != nil || start != p.Start || state == 'Z' || state == 'X' {
		return false
	}
	boot, err := hostBoot()
	return err == nil && boot == p.HostBoot
}

// open returns a descriptor that polls readable once the process has ended,
// and ok == false if it has already.
func (p process) open() (fd int, ok bool, err error) {
	if !p.alive() {
		return -1, false, nil
	}
	fd, err = unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return -1, false, nil
	}
	if err != nil {
		return -1, false, fmt.Errorf("cannot watch process %d: %w", p.PID, err)
	}
	if !p.alive() { // between the look and the open it may have become another
		unix.Close(fd)
		return -1, false, nil
	}
	return fd, true, nil
}

// How long a machine may take to stop its services before it is killed, and
// how long the kernel may take to end what was killed.
const (
	stopGrace = 300 * time.Millisecond
	killWait  = 5 * time.Second
)

// stop ends the process and waits for it: by asking, then by force.
func (p process) stop(ctx context.Context) {
	fd, ok, err := p.open()
	if err != nil || !ok {
		return // whatever is left is found by its control group
	}
	defer unix.Close(fd)
	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, stopGrace}, {unix.SIGKILL, killWait}} {
		if unix.PidfdSendSignal(fd, step.signal, nil, 0) != nil || waitReadable(ctx, fd, step.wait) {
			break
		}
	}
}

// adoptOrphans makes this process the parent of machines whose maker, the
// container runtime, has ended. Whoever else would be, may let the dead lie
// about for a second.
func adoptOrphans() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot become the parent of machines: %w", err)
	}
	return nil
}

// buryLimit is how long another parent, of what an earlier process made, is
// given to take the dead away.
const buryLimit = 3 * time.Second

// bury waits until no process of the control group is left on the host, not
// even a dead one. If one's parent does not care, nothing depends on it.
func bury(ctx context.Context, group string) {
	_ = until(ctx, buryLimit, func() error {
		left := 0
		processes, err := filepath.Glob("/proc/[0-9]*")
		for _, dir := range processes {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			groups, err := os.ReadFile(filepath.Join(dir, "cgroup"))
			if err != nil || pid <= 1 || !strings.Contains(string(groups), "/"+group+"/") {
				continue
			}
			if buried, _ := unix.Wait4(pid, nil, unix.WNOHANG, nil); buried != pid {
				left++
			}
		}
		if err == nil && left > 0 {
			err = fmt.Errorf("%d dead processes of %s are left", left, group)
		}
		return err
	})
}

func waitReadable(ctx context.Context, fd int, limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for {
		left := time.Until(deadline)
		if left <= 0 || ctx.Err() != nil {
			return false
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, int(left.Milliseconds())+1); n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

func readStat(pid int) (start uint64, state byte, err error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, err
	}
	return parseStat(string(text))
}

// parseStat reads the line of proc(5)'s /proc/PID/stat. The program's name in
// it may hold anything, parentheses included.
func parseStat(line string) (start uint64, state byte, err error) {
	end := strings.LastIndexByte(line, ')')
	fields := strings.Fields(line[end+1:])
	if end < 0 || len(fields) < 20 {
		return 0, 0, fmt.Errorf("cannot read process status %q", line)
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return start, fields[0][0], err
}

var hostBoot = sync.OnceValues(func() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text)), err
})
