package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is a process as far as whose it is matters.
type process struct {
	pid, parent int
	born        string // its start, in the host's clock ticks
	uid         int    // real
	login       int    // who logged in, as the kernel keeps it; -1: not known
	sudo        int    // who became this user through sudo, as sudo says; -1: nobody
}

// processes are those that run. One that ends meanwhile is left out.
func processes(proc string) ([]process, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, err
	}
	var all []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, runs := lookAt(proc, pid); runs {
			all = append(all, p)
		}
	}
	return all, nil
}

func lookAt(proc string, pid int) (p process, runs bool) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return p, false
	}
	p = process{pid: pid, login: loginUID(proc, pid), sudo: -1}
	if p.uid, runs = userOf(status); !runs {
		return p, false
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return p, false
	}
	if p.parent, p.born, runs = birthOf(stat); !runs {
		return p, false
	}
	if p.uid == 0 { // others' say nothing that their uid does not
		env, _ := os.ReadFile(filepath.Join(dir, "environ")) // a kernel thread has none
		p.sudo = sudoOf(env)
	}
	return p, true
}

// birthOf reads the parent and the start of a process from its stat file. Its
// name, in parentheses, may hold anything.
func birthOf(stat []byte) (parent int, born string, ok bool) {
	i := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[i+1:]))
	if i < 0 || len(fields) < 20 {
		return 0, "", false
	}
	parent, err := strconv.Atoi(fields[1])
	return parent, fields[19], err == nil
}

// sudoOf reads who became root from a process's environment.
func sudoOf(env []byte) int {
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if value, ok := bytes.CutPrefix(entry, []byte("SUDO_UID=")); ok {
			if uid, err := strconv.ParseUint(string(value), 10, 31); err == nil {
				return int(uid)
			}
		}
	}
	return -1
}

// loginUID is who logged in to what became this process; -1 if that is not known.
func loginUID(proc string, pid int) int {
	text, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "loginuid"))
	if err != nil {
		return -1
	}
	uid, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 10, 32)
	if err != nil || uid == 1<<32-1 {
		return -1
	}
	return int(uid)
}

// victims are the processes of users that go: their own, what they started as
// root, and whatever comes from those. What has the agent's own login was there
// before anybody logged in on the node: it was the host's.
func victims(all []process, goes func(uid int) bool, own int) []process {
	theirs := map[int]bool{}
	for _, p := range all {
		theirs[p.pid] = goes(p.uid) || p.uid == 0 && (goes(p.sudo) || p.login != own && goes(p.login))
	}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if !theirs[p.pid] && p.uid == 0 && theirs[p.parent] {
				theirs[p.pid], grown = true, true
			}
		}
	}
	var list []process
	for _, p := range all {
		if theirs[p.pid] && p.pid > 1 && p.pid != os.Getpid() {
			list = append(list, p)
		}
	}
	return list
}
