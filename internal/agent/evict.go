package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"ehpc/internal/hpc"
)

// evictRounds bounds how often evict looks again: what it kills may have
// started something just before.
const evictRounds = 20

// evict ends the processes of accounts that the node had and has no more. Only
// uids that are an account's are touched, and none of the system's own users.
func (a *Agent) evict(accounts []hpc.Account) error {
	stay := map[int]bool{}
	for _, account := range accounts {
		stay[account.UID] = true
	}
	err := a.files.each("etc/passwd", 7, func(fields []string) {
		if uid, err := strconv.Atoi(fields[2]); err == nil {
			stay[uid] = true
		}
	})
	if err != nil {
		return fmt.Errorf("cannot end the processes of deleted accounts: %w", err)
	}
	for range evictRounds {
		killed, err := a.evictOnce(func(uid int) bool { return uid >= hpc.FirstUID && !stay[uid] })
		if err != nil {
			return fmt.Errorf("cannot end the processes of deleted accounts: %w", err)
		}
		if killed == 0 {
			return nil
		}
		a.opts.Log.Info("processes of deleted accounts killed", "count", killed)
	}
	return nil // what is left is dying, or stuck in the kernel with the signal pending
}

func (a *Agent) evictOnce(goes func(uid int) bool) (killed int, err error) {
	proc := filepath.Join(a.opts.Root, "proc")
	entries, err := os.ReadDir(proc)
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid <= 1 {
			continue
		}
		done, err := kill(proc, pid, goes)
		if err != nil {
			return killed, fmt.Errorf("process %d: %w", pid, err)
		}
		if done {
			killed++
		}
	}
	return killed, nil
}

// kill kills the process if its user goes. The process is held on to before it
// is looked at, so that another one with its number is never hit.
func kill(proc string, pid int, goes func(uid int) bool) (done bool, err error) {
	handle, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) { // gone, or a thread
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(handle)
	status, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "status"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if uid, runs := userOf(status); !runs || !goes(uid) {
		return false, nil
	}
	if err := unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0); errors.Is(err, unix.ESRCH) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}

// userOf reads the real uid of a process from its status file, and whether it
// still runs.
func userOf(status []byte) (uid int, runs bool) {
	uid = -1
	for line := range bytes.Lines(status) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		fields := bytes.Fields(value)
		if len(fields) == 0 {
			continue
		}
		switch string(name) {
		case "State":
			if fields[0][0] == 'Z' || fields[0][0] == 'X' {
				return -1, false
			}
		case "Uid":
			n, err := strconv.ParseUint(string(fields[0]), 10, 32)
			if err != nil {
				return -1, false
			}
			uid = int(n)
		}
	}
	return uid, uid >= 0
}
