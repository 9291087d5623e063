package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// sessions is how many connections sshd has: each is a process whose parent is
// the sshd that listens.
func sessions(proc string) (n int, err error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return 0, err
	}
	parents := map[int]int{} // of every sshd
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(proc, e.Name(), "stat"))
		if err != nil {
			continue // it has ended meanwhile
		}
		if name, parent, ok := nameOf(stat); ok && strings.HasPrefix(name, "sshd") {
			parents[pid] = parent
		}
	}
	for _, parent := range parents {
		above, ofSSHD := parents[parent]
		if _, deeper := parents[above]; ofSSHD && !deeper {
			n++
		}
	}
	return n, nil
}

// nameOf reads the name and the parent of a process from its stat file.
func nameOf(stat []byte) (name string, parent int, ok bool) {
	from, to := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if from < 0 || to < from {
		return "", 0, false
	}
	parent, _, ok = birthOf(stat)
	return string(stat[from+1 : to]), parent, ok
}
