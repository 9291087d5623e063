package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// letGo ends what root in a machine has stopped, which does not end when it is
// killed: groups of version 1 keep it. It is moved into the group above the
// machine's own, which nobody there can stop, and where it goes on. It tells how
// many processes there were. init is the machine's first process.
func (c cgroups) letGo(group string, init process) (alive int, err error) {
	freezer := c.mounts["freezer"]
	if c.unified || freezer == "" {
		return 0, nil
	}
	pids, err := machineProcesses(group, init)
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		err := os.WriteFile(filepath.Join(freezer, group, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return alive, ignoreMissing(err)
		}
		unix.Kill(pid, unix.SIGKILL)
		alive++
	}
	return alive, nil
}

// machineProcesses are the processes that live in a machine, and are in groups
// below its own. Groups may be nested so deeply that the kernel cannot name them:
// then a process's number space tells whose it is.
func machineProcesses(group string, init process) (pids []int, err error) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var spaces []string
	if init.alive() {
		spaces = append(spaces, numberSpace(init.PID))
	}
	var nameless []int
	for _, dir := range all {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid <= 1 || dead(pid) {
			continue
		}
		groups, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		switch {
		case errors.Is(err, unix.ENAMETOOLONG):
			nameless = append(nameless, pid)
		case err == nil && strings.Contains(string(groups), "/"+group+"/in"):
			pids, spaces = append(pids, pid), append(spaces, numberSpace(pid))
		}
	}
	for _, pid := range nameless {
		if slices.Contains(spaces, numberSpace(pid)) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func dead(pid int) bool {
	_, state, err := readStat(pid)
	return err != nil || state == 'Z' || state == 'X'
}

// numberSpace names the space that a process's number is of; a machine has one of
// its own. A process that has ended has none that is another's.
func numberSpace(pid int) string {
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return fmt.Sprintf("of process %d alone", pid)
	}
	return name
}
