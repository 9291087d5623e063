package meter

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tree is the node's control groups, of either version.
type tree struct {
	unified     bool
	cpu, memory string   // where their hierarchies are mounted; the same if unified
	jobs        []string // patterns of jobs' groups within a hierarchy
}

// ErrNoGroups: there are no control groups that count processor time.
var ErrNoGroups = errors.New("no control groups count processor time")

// openTree looks which version there is.
func openTree(root string, jobs []string) (tree, error) {
	t := tree{jobs: jobs}
	if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil {
		t.unified, t.cpu, t.memory = true, root, root
		return t, nil
	}
	for _, name := range []string{"cpuacct", "cpu,cpuacct"} {
		if _, err := os.Stat(filepath.Join(root, name, "cpuacct.usage")); err == nil {
			t.cpu, t.memory = filepath.Join(root, name), filepath.Join(root, "memory")
			return t, nil
		}
	}
	return t, fmt.Errorf("%w in %s", ErrNoGroups, root)
}

var jobGroup = regexp.MustCompile(`^job_([0-9]{1,10})$`)

// jobOf is the job whose group that is.
func jobOf(group string) (id string, ok bool) {
	m := jobGroup.FindStringSubmatch(filepath.Base(group))
	if m == nil {
		return "", false
	}
	return m[1], true
}

// find returns the groups of the jobs that there are, within the hierarchy.
func (t tree) find() (groups []string) {
	for _, pattern := range t.jobs {
		paths, _ := filepath.Glob(filepath.Join(t.cpu, pattern)) // the patterns are well formed
		for _, path := range paths {
			if _, ok := jobOf(path); ok {
				groups = append(groups, strings.TrimPrefix(path, t.cpu))
			}
		}
	}
	return groups
}

// of is the job's group that a process is in, and where in it; "" if it is in none.
func (t tree) of(proc string, pid int) (group, within string) {
	controller := "cpuacct"
	if t.unified {
		controller = ""
	}
	all, err := GroupOf(proc, pid, controller)
	if err != nil {
		return "", ""
	}
	for group = all; len(group) > 1; group = filepath.Dir(group) {
		for _, pattern := range t.jobs {
			if ok, _ := filepath.Match("/"+pattern, group); ok {
				return group, strings.TrimPrefix(all[len(group):], "/")
			}
		}
	}
	return "", ""
}

// GroupOf is the control group that a process is in, as "/a/b", in the hierarchy of
// a controller of version 1, or in that of version 2 for "". It is "" for a process
// that has ended. proc is where its file system is mounted, "/proc" on a node.
func GroupOf(proc string, pid int, controller string) (string, error) {
	text, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "cgroup"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("cannot tell the control group of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && slices.Contains(strings.Split(fields[1], ","), controller) {
			return fields[2], nil
		}
	}
	return "", nil
}

// places calls each for the directories in which groups of jobs, or those within
// them, come and go; from the top down, and for one before it looks what is in it.
func (t tree) places(each func(dir string)) {
	each(t.cpu)
	for _, pattern := range t.jobs {
		names := strings.Split(pattern+"/*", "/")
		for i := range names {
			paths, _ := filepath.Glob(filepath.Join(t.cpu, filepath.Join(names[:i+1]...)))
			for _, path := range paths {
				if isDir(path) {
					each(path)
				}
			}
		}
	}
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// reading is what a group's counters say: of all that was ever in it.
type reading struct {
	inode  uint64
	cpu    time.Duration
	memory int64
}

var errGone = errors.New("the group is gone")

func (t tree) read(group string) (r reading, err error) {
	var info os.FileInfo
	if info, err = os.Stat(t.cpu + group); err != nil {
		return r, errGone
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		r.inode = s.Ino
	}
	if t.unified {
		r.cpu, err = usageOf(t.cpu + group + "/cpu.stat")
		r.memory = first(t.memory+group, "memory.peak", "memory.current")
	} else {
		var ns int64
		ns, err = number(t.cpu + group + "/cpuacct.usage")
		r.cpu = time.Duration(ns)
		r.memory = first(t.memory+group, "memory.max_usage_in_bytes", "memory.usage_in_bytes")
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return r, errGone
	}
	return r, err
}

// first is the number in the first of these files that there is, 0 if none is: an
// older kernel keeps no highest value, and what it is now has to do.
func first(dir string, names ...string) int64 {
	for _, name := range names {
		if n, err := number(filepath.Join(dir, name)); err == nil {
			return n
		}
	}
	return 0
}

func number(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
}

// usageOf reads a cpu.stat file.
func usageOf(path string) (time.Duration, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "usage_usec "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return time.Duration(n) * time.Microsecond, err
		}
	}
	return 0, fmt.Errorf("%s does not tell the processor time", path)
}
