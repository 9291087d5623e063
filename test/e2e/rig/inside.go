package rig

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// insideLimit bounds a command in a node.
const insideLimit = 5 * time.Minute

// Inside runs a command as root in a node, past the service and the node's
// agent, and returns its output without the last line's end. It must exit with 0.
func (s *Server) Inside(t testing.TB, nodeID, command string) string {
	t.Helper()
	out, err := s.TryInside(t, nodeID, command)
	if err != nil {
		t.Fatalf("in node %s, %q: %v:\n%s", nodeID, command, err, out)
	}
	return out
}

// TryInside is Inside for what may fail.
func (s *Server) TryInside(t testing.TB, nodeID, command string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), insideLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(s.Machine(t, nodeID).Init),
		"--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--", "/bin/sh", "-c", command)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC", "HOME=/root"}
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return strings.TrimSuffix(string(out), "\n"), err
}

// KillDaemon kills a daemon of a node as the kernel would.
func (s *Server) KillDaemon(t testing.TB, nodeID, name string) {
	t.Helper()
	Must(t, syscall.Kill(s.Daemon(t, nodeID, name), syscall.SIGKILL))
}

// Daemon is the process id, on the host, of what the node's supervisor runs
// under that name.
func (s *Server) Daemon(t testing.TB, nodeID, name string) int {
	t.Helper()
	space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", s.Machine(t, nodeID).Init))
	Must(t, err)
	found := 0
	Until(t, "node "+nodeID+" runs "+name, ComeUp, func() bool { // it may be between two lives
		found = supervised(space, name)
		return found != 0
	})
	return found
}

func supervised(space, name string) int {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range processes {
		if link, err := os.Readlink(dir + "/ns/pid"); err != nil || link != space || commandOf(dir) != name {
			continue
		}
		if commandOf("/proc/"+strconv.Itoa(parentOf(dir))) == "s6-supervise" {
			pid, _ := strconv.Atoi(filepath.Base(dir)) // the pattern takes numbers only
			return pid
		}
	}
	return 0
}

func commandOf(proc string) string {
	text, _ := os.ReadFile(proc + "/comm")
	return strings.TrimSpace(string(text))
}

func parentOf(proc string) int {
	text, _ := os.ReadFile(proc + "/stat")
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 2 {
		return 0
	}
	pid, _ := strconv.Atoi(fields[1])
	return pid
}
