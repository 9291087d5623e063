package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ehpc/internal/provider"
)

// cgroups are the host's control group hierarchies.
type cgroups struct {
	unified bool              // version 2 alone; else version 1 decides, with or without a version 2 tree beside it
	mounts  map[string]string // controller -> where its hierarchy is mounted
	roots   []string          // every mounted hierarchy
}

// limits are what a machine may use.
type limits struct {
	cores    int
	memory   int64 // bytes
	maxTasks int
	manager  bool // a cluster's daemons go before the jobs of its other machines
}

// maxTasks bounds processes and threads of a machine, so that none uses up the
// host's process ids.
const maxTasks = 4096

func limitsOf(s provider.Spec) limits {
	return limits{cores: s.Type.Cores, memory: int64(s.Type.MemoryMB) << 20, maxTasks: maxTasks, manager: s.Manager}
}

// managerWeight is how many other machines a manager weighs when processor time
// is short.
const managerWeight = 8

// parseCgroups reads the format of /proc/self/mountinfo.
func parseCgroups(mountinfo string) cgroups {
	c := cgroups{mounts: map[string]string{}}
	lines := bufio.NewScanner(strings.NewReader(mountinfo))
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		front, back := strings.Fields(before), strings.Fields(after)
		if !ok || len(front) < 5 || len(back) < 3 {
			continue
		}
		point := front[4]
		if point != cgroupRoot && !strings.HasPrefix(point, cgroupRoot+"/") {
			continue // another view of the same, made by some container
		}
		switch back[0] {
		case "cgroup2":
			c.unified = c.unified || point == cgroupRoot
			c.mounts[""] = point
			c.roots = append(c.roots, point)
		case "cgroup":
			for _, option := range strings.Split(back[2], ",") {
				if slices.Contains(controllers, option) {
					c.mounts[option] = point
				}
			}
			c.roots = append(c.roots, point)
		}
	}
	if c.unified { // whatever else is mounted has no controllers that count
		c.mounts[""], c.roots = cgroupRoot, []string{cgroupRoot}
		for _, name := range controllers {
			c.mounts[name] = c.mounts[""]
		}
	}
	return c
}

const cgroupRoot = "/sys/fs/cgroup"

var controllers = []string{"cpu", "memory", "pids", "devices", "freezer"}

// missing are the controllers that limits and containers need and that are not there.
func (c cgroups) missing() []string {
	var names []string
	if !c.unified {
		for _, name := range controllers {
			if c.mounts[name] == "" {
				names = append(names, name)
			}
		}
		return names
	}
	text, _ := os.ReadFile(filepath.Join(c.mounts[""], "cgroup.controllers"))
	for _, name := range []string{"cpu", "memory", "pids"} {
		if !slices.Contains(strings.Fields(string(text)), name) {
			names = append(names, name)
		}
	}
	return names
}

// create makes the group in every hierarchy, and sets the limits.
func (c cgroups) create(group string, l limits) error {
	for _, root := range c.roots {
		if err := c.makeGroup(root, group); err != nil {
			return fmt.Errorf("cannot make control group %s: %w", group, err)
		}
	}
	for _, s := range c.settings(l) {
		path := filepath.Join(c.mounts[s.controller], group, s.file)
		if err := os.WriteFile(path, []byte(s.value), 0); err != nil {
			if s.optional && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return fmt.Errorf("cannot limit control group %s: %w", group, err)
		}
	}
	return nil
}

// makeGroup makes one directory after the other; another machine's removal may
// take an empty parent away in between.
func (c cgroups) makeGroup(root, group string) error {
	const attempts = 10
	var err error
	for range attempts {
		if err = c.tryGroup(root, group); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}

func (c cgroups) tryGroup(root, group string) error {
	path := root
	for _, part := range strings.Split(group, "/") {
		if c.unified && root == c.mounts[""] {
			// Children get controllers only from a parent that hands them on.
			if err := os.WriteFile(filepath.Join(path, "cgroup.subtree_control"), []byte("+cpu +memory +pids"), 0); err != nil {
				return err
			}
		}
		path = filepath.Join(path, part)
		if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if root == c.mounts["memory"] && !c.unified {
			if err := useHierarchy(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// useHierarchy makes a group's memory limit hold for the groups below it, which
// kernels before 5.11 did not do by themselves.
func useHierarchy(path string) error {
	file := filepath.Join(path, "memory.use_hierarchy")
	value, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || strings.TrimSpace(string(value)) == "1" {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte("1"), 0)
}

type setting struct {
	controller, file, value string
	optional                bool // a kernel without swap accounting has no such file
}

const cpuPeriod = 100_000 // microseconds

func (c cgroups) settings(l limits) []setting {
	memory, tasks := strconv.FormatInt(l.memory, 10), strconv.Itoa(l.maxTasks)
	weight := 1
	if l.manager {
		weight = managerWeight
	}
	if c.unified {
		return []setting{
			{"cpu", "cpu.max", fmt.Sprintf("%d %d", l.cores*cpuPeriod, cpuPeriod), false},
			{"cpu", "cpu.weight", strconv.Itoa(100 * weight), false},
			{"memory", "memory.max", memory, false},
			{"memory", "memory.swap.max", "0", true},
			{"pids", "pids.max", tasks, false},
		}
	}
	return []setting{
		{"cpu", "cpu.cfs_period_us", strconv.Itoa(cpuPeriod), false},
		{"cpu", "cpu.cfs_quota_us", strconv.Itoa(l.cores * cpuPeriod), false},
		{"cpu", "cpu.shares", strconv.Itoa(1024 * weight), false},
		{"memory", "memory.limit_in_bytes", memory, false},
		{"memory", "memory.memsw.limit_in_bytes", memory, true},
		{"pids", "pids.max", tasks, false},
	}
}

// kill ends every process in the group and the one below it, where a container
// begins. What root in a machine moved deeper ends with the machine's init.
func (c cgroups) kill(ctx context.Context, group string, init process) error {
	top := filepath.Join(c.mounts["pids"], group)
	return until(ctx, killWait, func() error {
		left, err := c.letGo(group, init)
		if err != nil {
			return err
		}
		for _, path := range []string{top, filepath.Join(top, "in")} {
			n, err := killGroup(path)
			if err != nil {
				return err
			}
			left += n
		}
		if left > 0 {
			return fmt.Errorf("%d processes of %s do not end", left, group)
		}
		return nil
	})
}

func killGroup(path string) (alive int, err error) {
	text, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
	if err != nil {
		return 0, ignoreMissing(err)
	}
	for _, word := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil || pid <= 1 {
			continue
		}
		if dead(pid) {
			continue
		}
		unix.Kill(pid, unix.SIGKILL)
		alive++
	}
	return alive, nil
}

// remove removes the group and what is below it from every hierarchy, and the
// groups above it once they are empty.
func (c cgroups) remove(ctx context.Context, group string) error {
	if err := until(ctx, killWait, func() error { return c.removeGroup(ctx, group) }); err != nil {
		return fmt.Errorf("cannot remove control group %s: %w", group, err)
	}
	for _, root := range c.roots {
		for above := filepath.Dir(group); above != "."; above = filepath.Dir(above) {
			if os.Remove(filepath.Join(root, above)) != nil {
				break // others are in it
			}
		}
	}
	return nil
}

// removeGroup leaves it to find, which does not mind groups nested deeper than
// a path can name or a process may have files open. The files in a group go
// with it.
func (c cgroups) removeGroup(ctx context.Context, group string) error {
	var paths []string
	for _, root := range c.roots {
		path := filepath.Join(root, group)
		if _, err := os.Lstat(path); err == nil {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	_, err := run(ctx, "", "find", append(paths, "-depth", "-type", "d", "-delete")...)
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) { // the latter: removed while it was read
		return nil
	}
	return err
}

// until repeats what the kernel is not ready for yet, without spinning.
func until(ctx context.Context, limit time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}
