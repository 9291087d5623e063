package agent

import (
	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// set is services and the files that they read.
type set struct {
	files    []scheduler.File
	services []scheduler.Service
}

// mungeSet proves to the nodes of a cluster who is who.
func mungeSet(plan hpc.NodePlan) set {
	return set{
		files: []scheduler.File{{
			Path: "/etc/munge/munge.key", Content: plan.Secrets.MungeKey,
			Mode: 0o400, Owner: "munge:munge", Restart: true,
		}},
		services: []scheduler.Service{{
			Name: "munged",
			Argv: []string{"/usr/sbin/munged", "--foreground"},
			User: "munge",
			Dirs: []scheduler.File{
				{Path: "/run/munge", Mode: 0o755, Owner: "munge:munge"},
				{Path: "/var/lib/munge", Mode: 0o700, Owner: "munge:munge"},
				{Path: "/var/log/munge", Mode: 0o700, Owner: "munge:munge"},
			},
			Ready: []string{"/bin/sh", "-c", "/usr/bin/munge -n | /usr/bin/unmunge >/dev/null"},
		}},
	}
}

const sshdConfig = `PermitRootLogin no
HostKey /etc/ssh/ssh_host_ed25519_key
KbdInteractiveAuthentication no
`

// sshSet lets people in: with passwords on login nodes, elsewhere with keys.
func sshSet(plan hpc.NodePlan) set {
	passwords := "PasswordAuthentication no\n"
	if plan.Self.HasRole(hpc.RoleLogin) {
		passwords = "PasswordAuthentication yes\n"
	}
	return set{
		files: []scheduler.File{{
			Path: "/etc/ssh/sshd_config.d/ehpc.conf", Content: []byte(sshdConfig + passwords),
			Mode: 0o644, Restart: true,
		}},
		services: []scheduler.Service{{
			Name:  "sshd",
			Argv:  []string{"/usr/sbin/sshd", "-D", "-e"},
			Dirs:  []scheduler.File{{Path: "/run/sshd", Mode: 0o755}},
			Ready: listening(22),
		}},
	}
}
