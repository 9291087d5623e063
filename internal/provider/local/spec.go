package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

var validHostname = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// capabilities that root in a machine has. AUDIT_WRITE: an ssh login with a
// terminal ends without it. None opens a way to the host: no SYS_ADMIN,
// NET_ADMIN, NET_RAW, MKNOD, SYS_PTRACE or SYS_RESOURCE.
var capabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_AUDIT_WRITE",
}

// oomScore makes the kernel choose a machine's process before the host's own
// when the host, not the machine, is out of memory.
const oomScore = 500

// writeBundle makes the machine's directories and its container's definition.
func (p *Provider) writeBundle(rec record, rootfs string) error {
	dir := p.machineDir(rec.Spec.ID)
	for _, name := range []string{"upper", "work", "rootfs"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	link := ""
	if p.opts.LinkDir != nil {
		var err error
		if link, err = p.opts.LinkDir(rec.Spec.ID); err != nil {
			return fmt.Errorf("cannot make the link's directory: %w", err)
		}
	}
	spec, err := p.container(rec, rootfs, link)
	if err != nil {
		return err
	}
	return saveJSON(filepath.Join(dir, "config.json"), spec)
}

// container describes the machine to runc.
func (p *Provider) container(rec record, rootfs, link string) (*specs.Spec, error) {
	dir := p.machineDir(rec.Spec.ID)
	oom := oomScore
	spec := &specs.Spec{
		Version:  "1.0.2",
		Hostname: rec.Spec.Hostname,
		Root:     &specs.Root{Path: filepath.Join(dir, "rootfs")},
		Process: &specs.Process{
			Cwd:  "/",
			Args: []string{"/usr/bin/s6-svscan", "/service"},
			Env:  []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"},
			// Bounding stays what it is for all that runs inside, set-uid programs included.
			Capabilities: &specs.LinuxCapabilities{Bounding: capabilities, Effective: capabilities, Permitted: capabilities},
			Rlimits:      rlimits(),
			OOMScoreAdj:  &oom,
			// sudo works: what it may gain is bounded above.
			NoNewPrivileges: false,
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.MountNamespace}, {Type: specs.UTSNamespace},
				{Type: specs.IPCNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.CgroupNamespace},
			},
			CgroupsPath: "/" + p.group(rec.Spec.ID) + "/in",
			// runc adds the harmless ones: null, zero, full, random, urandom, tty.
			Resources:     &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
			MaskedPaths:   maskedPaths,
			ReadonlyPaths: readonlyPaths,
			Sysctl:        sysctls(),
			// What is mounted on either side shows on that side alone.
			RootfsPropagation: "private",
		},
	}
	spec.Mounts = append(systemMounts(dir, rootfs, rec.Spec.Type.MemoryMB), p.sharedMounts(rec, link)...)
	profile, err := seccomp.GetDefaultProfile(spec) // depends on the capabilities
	if err != nil {
		return nil, fmt.Errorf("cannot make the system call filter: %w", err)
	}
	refuseAIO(profile)
	spec.Linux.Seccomp = profile
	return spec, nil
}

// refuseAIO takes io_setup away: its slots are the whole host's, for whoever asks
// first. Programs that use them have another way when the kernel has none.
func refuseAIO(profile *specs.LinuxSeccomp) {
	for i, rule := range profile.Syscalls {
		profile.Syscalls[i].Names = slices.DeleteFunc(slices.Clone(rule.Names), func(name string) bool { return name == "io_setup" })
	}
	unknown := uint(unix.ENOSYS)
	profile.Syscalls = append(profile.Syscalls, specs.LinuxSyscall{Names: []string{"io_setup"}, Action: specs.ActErrno, ErrnoRet: &unknown})
}

// terminals is how many pseudo terminals a machine has at a time: the host has
// kernel.pty.max of them.
const terminals = 256

var maskedPaths = []string{
	"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
	"/sys/devices/virtual/powercap", "/sys/firmware",
}

// Without these root in a node writes the host's core_pattern.
var readonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}

// systemMounts are the machine's own: its disk over the image, and what every
// Linux system has. What is in memory counts against the machine's limit.
func systemMounts(dir, rootfs string, memoryMB int) []specs.Mount {
	size := func(mb int) string { return "size=" + strconv.Itoa(mb) + "m" }
	half, some := memoryMB/2, min(memoryMB/4, 256)
	return []specs.Mount{
		{Destination: "/", Type: "overlay", Source: "overlay", Options: []string{
			"nodev", "lowerdir=" + rootfs, "upperdir=" + filepath.Join(dir, "upper"), "workdir=" + filepath.Join(dir, "work")}},
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{
			"nosuid", "noexec", "nodev", "hidepid=2", "gid=0"}}, // accounts see their own processes, root's group all
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "mode=755", "size=64m"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{
			"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", "max=" + strconv.Itoa(terminals)}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "nodev", "mode=1777", size(half)}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "rw"}},
		{Destination: "/run", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "mode=755", size(some)}},
		{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "mode=1777", size(half)}},
	}
}

// sharedMounts are the cluster's volume and the agent's things.
func (p *Provider) sharedMounts(rec record, link string) []specs.Mount {
	vol := p.volume(rec.Spec.ClusterID)
	bind := func(source, destination string, options ...string) specs.Mount {
		return specs.Mount{Destination: destination, Type: "none", Source: source,
			Options: append([]string{"rbind", "nosuid", "nodev"}, options...)}
	}
	mounts := []specs.Mount{
		bind(filepath.Join(vol, "home"), "/home", "rw"),
		bind(filepath.Join(vol, "opt"), "/opt", "rw"),
		bind(filepath.Join(vol, "claims"), "/ehpc/claims", "rw", "noexec"),
	}
	if rec.Spec.Manager {
		mounts = append(mounts, bind(filepath.Join(vol, "state"), "/ehpc/state", "rw", "noexec"))
	}
	if rec.AgentDir != "" {
		mounts = append(mounts, bind(rec.AgentDir, "/ehpc/bin", "ro"))
	}
	if link != "" {
		mounts = append(mounts, bind(link, "/ehpc/link", "ro", "noexec"))
	}
	return mounts
}

// sysctls of the machine's own network: it has no IPv6.
func sysctls() map[string]string {
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
		return nil
	}
	return map[string]string{"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"}
}

// rlimits are what MPI programs expect, as far as this process may hand on: a
// root without CAP_SYS_RESOURCE cannot raise what it was given.
func rlimits() []specs.POSIXRlimit {
	const infinity = ^uint64(0)
	var limits []specs.POSIXRlimit
	for _, want := range []struct {
		name     string
		resource int
		value    uint64
	}{
		{"RLIMIT_NOFILE", unix.RLIMIT_NOFILE, 65536},
		{"RLIMIT_MEMLOCK", unix.RLIMIT_MEMLOCK, infinity},
		{"RLIMIT_CORE", unix.RLIMIT_CORE, 0},
	} {
		var own unix.Rlimit
		if unix.Getrlimit(want.resource, &own) != nil {
			continue
		}
		value := min(want.value, own.Max)
		limits = append(limits, specs.POSIXRlimit{Type: want.name, Hard: value, Soft: value})
	}
	return limits
}
