package local

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	v1 = `30 24 0:25 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
31 24 0:26 / /sys/fs/cgroup/memory rw shared:10 - cgroup cgroup rw,memory
32 24 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
33 24 0:28 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices
34 24 0:29 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
`
	beside = "35 24 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	v2     = "36 24 0:31 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	other  = "37 24 0:31 / /var/lib/some/container/cgroup rw - cgroup2 cgroup rw\n"
)

func TestControlGroupsAreFoundHoweverTheyAreMounted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, mounts string
		unified      bool
		cpu          string
		roots        int
	}{
		{"version 1", v1, false, "/sys/fs/cgroup/cpu,cpuacct", 5},
		{"version 1 with version 2 beside it", v1 + beside, false, "/sys/fs/cgroup/cpu,cpuacct", 6},
		{"version 2", v2, true, "/sys/fs/cgroup", 1},
		{"version 2 seen again elsewhere", v2 + other, true, "/sys/fs/cgroup", 1},
		{"none", "22 1 8:1 / / rw - ext4 /dev/sda rw\n", false, "", 0},
	} {
		c := parseCgroups(test.mounts)
		if c.unified != test.unified || c.mounts["cpu"] != test.cpu || len(c.roots) != test.roots {
			t.Errorf("%s: found %+v", test.name, c)
		}
		if missing := c.missing(); !test.unified && (len(missing) == 0) != (test.cpu != "") {
			t.Errorf("%s: missing %v", test.name, missing)
		}
	}
}

func TestVersion2HandsControllersDownAndLimitsTheMachine(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	c := cgroups{unified: true, roots: []string{root}, mounts: map[string]string{"": root, "cpu": root, "memory": root, "pids": root}}
	if err := c.create("ehpc/x/i-a", limits{cores: 4, memory: 8 << 30, maxTasks: 100, manager: true}); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"cgroup.subtree_control":        "+cpu +memory +pids",
		"ehpc/cgroup.subtree_control":   "+cpu +memory +pids",
		"ehpc/x/cgroup.subtree_control": "+cpu +memory +pids",
		"ehpc/x/i-a/cpu.max":            "400000 100000",
		"ehpc/x/i-a/cpu.weight":         "800",
		"ehpc/x/i-a/memory.max":         "8589934592",
		"ehpc/x/i-a/memory.swap.max":    "0",
		"ehpc/x/i-a/pids.max":           "100",
	} {
		if text, err := os.ReadFile(filepath.Join(root, file)); err != nil || string(text) != want {
			t.Errorf("%s holds %q (%v), want %q", file, text, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "ehpc/x/i-a/cgroup.subtree_control")); err == nil {
		t.Error("the machine's own group is the container runtime's to prepare")
	}
}

func TestAManagerWeighsMoreThanOtherMachines(t *testing.T) {
	t.Parallel()
	c := cgroups{mounts: map[string]string{}}
	shares := func(manager bool) string {
		for _, s := range c.settings(limits{cores: 1, manager: manager}) {
			if s.file == "cpu.shares" {
				return s.value
			}
		}
		return ""
	}
	if manager, other := shares(true), shares(false); manager != "8192" || other != "1024" {
		t.Errorf("a manager has %q shares, another machine %q", manager, other)
	}
}

func FuzzParseCgroups(f *testing.F) {
	for _, seed := range []string{v1, v1 + beside, v2, v2 + other, "a - b", " - cgroup2 c", "1 2 3 4 /sys/fs/cgroup - cgroup x ,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, mountinfo string) {
		c := parseCgroups(mountinfo)
		for name, point := range c.mounts {
			if !slices.Contains(c.roots, point) || !strings.HasPrefix(point, cgroupRoot) {
				t.Errorf("%s at %q, roots %q", name, point, c.roots)
			}
		}
	})
}
