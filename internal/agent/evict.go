package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"ehpc/internal/hpc"
)

// evictRounds bounds how often evict looks again: what it kills may have
// started something just before.
const evictRounds = 20

// evict ends the processes of accounts that the node had and has no more, those
// among them that became root through sudo. Only uids that are an account's are
// looked for, and none of the system's own users.
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
	all, err := processes(proc)
	if err != nil {
		return 0, err
	}
	for _, p := range victims(all, goes, loginUID(proc, os.Getpid())) {
		done, err := kill(proc, p)
		if err != nil {
			return killed, fmt.Errorf("process %d: %w", p.pid, err)
		}
		if done {
			killed++
		}
	}
	return killed, nil
}

// kill kills the process. It is held on to before it is looked at once more, so
// that another one with its number is never hit.
func kill(proc string, p process) (done bool, err error) {
	handle, err := unix.PidfdOpen(p.pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) { // gone, or a thread
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(handle)
	if now, runs := lookAt(proc, p.pid); !runs || now.born != p.born {
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
