package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ehpc/internal/provider"
)

// Check tells whether nodes can run on this host with their data in dir, which
// is made if it is not there. Errors are those of New.
func Check(ctx context.Context, dir string) error {
	if os.Geteuid() == 0 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("cannot make the data directory: %w", err)
		}
	}
	_, err := checkHost(ctx, Options{Dir: dir})
	return err
}

// checkHost tells everything at once that keeps nodes from running here.
func checkHost(ctx context.Context, opts Options) (cgroups, error) {
	if os.Geteuid() != 0 {
		return cgroups{}, fmt.Errorf("%w: nodes are containers, which need root: run this with sudo", provider.ErrHost)
	}
	var faults []error
	var absent []string
	for name, pkg := range map[string]string{"runc": "runc", "nft": "nftables"} {
		if _, err := lookPath(name); err != nil {
			absent = append(absent, pkg)
		}
	}
	if len(absent) > 0 {
		slices.Sort(absent)
		faults = append(faults, fmt.Errorf("programs are missing, run: apt-get install %s", strings.Join(absent, " ")))
	}
	faults = append(faults, checkOverlay(ctx), checkDir(opts.Dir))
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	groups := parseCgroups(string(mountinfo))
	faults = append(faults, err)
	if names := groups.missing(); len(names) > 0 {
		faults = append(faults, fmt.Errorf("control groups lack %s: mount them under /sys/fs/cgroup (Debian: apt-get install cgroupfs-mount, or boot with systemd)", strings.Join(names, ", ")))
	}
	if err := errors.Join(faults...); err != nil {
		return groups, fmt.Errorf("%w: %w", provider.ErrHost, err)
	}
	return groups, nil
}

func checkOverlay(ctx context.Context) error {
	text, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return err
	}
	if strings.Contains(string(text), "\toverlay\n") {
		return nil
	}
	if _, err := run(ctx, "", "modprobe", "overlay"); err != nil {
		return errors.New("the kernel has no overlay file system: load the module overlay")
	}
	return nil
}

// checkDir refuses directories that cannot hold the upper layers of overlays,
// or whose name an overlay's options cannot carry.
func checkDir(dir string) error {
	if !filepath.IsAbs(dir) || strings.ContainsAny(dir, ":,\\ \t\n") {
		return fmt.Errorf("data directory %q must be an absolute path without colon, comma, backslash or space", dir)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("cannot look at data directory %s: %w", dir, err)
	}
	if fs.Type == unix.OVERLAYFS_SUPER_MAGIC || fs.Type == unix.NFS_SUPER_MAGIC {
		return fmt.Errorf("data directory %s is on a file system that cannot hold nodes' disks (overlay or NFS): choose one on a local disk", dir)
	}
	return nil
}

// installAgent copies the agent's program aside under its hash, since running
// machines keep theirs when the program is replaced, and removes copies that
// no machine uses.
func (p *Provider) installAgent() error {
	parent := filepath.Join(p.opts.Dir, "agent")
	if p.opts.AgentPath != "" {
		text, err := os.ReadFile(p.opts.AgentPath)
		if err != nil {
			return fmt.Errorf("cannot read the agent's program: %w", err)
		}
		sum := sha256.Sum256(text)
		p.agentDir = filepath.Join(parent, hex.EncodeToString(sum[:6]))
		if err := installProgram(p.agentDir, "ehpc-agent", text); err != nil {
			return fmt.Errorf("cannot copy the agent's program: %w", err)
		}
	}
	records, err := p.records()
	if err != nil {
		return err
	}
	names, err := subdirs(parent)
	if err != nil {
		return err
	}
	for _, name := range names {
		dir := filepath.Join(parent, name)
		used := slices.ContainsFunc(records, func(r record) bool { return r.AgentDir == dir })
		if dir != p.agentDir && !used {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func installProgram(dir, name string, text []byte) error {
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, text, 0o755); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
