package agent

import (
	"strings"

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

const (
	caPath       = "/etc/ssh/ehpc_ca.pub"
	hostKeyPath  = "/etc/ssh/ssh_host_ed25519_key"
	hostCertPath = hostKeyPath + "-cert.pub"
	rootKeyPath  = "/etc/ssh/ehpc_root_keys"
)

const sshdConfig = `HostKey ` + hostKeyPath + `
HostCertificate ` + hostCertPath + `
TrustedUserCAKeys ` + caPath + `
KbdInteractiveAuthentication no
`

// sshSet lets people in: with passwords on login nodes, elsewhere with keys;
// everywhere with a certificate of the cluster's authority.
func sshSet(plan hpc.NodePlan) set {
	keys := plan.SSH
	knows := append([]byte("@cert-authority * "), keys.CA...)
	return set{
		files: []scheduler.File{
			{Path: "/etc/ssh/sshd_config.d/ehpc.conf", Content: sshdOptions(plan), Mode: 0o644, Restart: true},
			{Path: caPath, Content: keys.CA, Mode: 0o644},
			{Path: hostKeyPath, Content: keys.HostKey, Mode: 0o600, Restart: true},
			{Path: hostCertPath, Content: keys.HostCert, Mode: 0o644, Restart: true},
			{Path: rootKeyPath, Content: lines(plan.Root.Key), Mode: 0o600},
			{Path: "/etc/ssh/ssh_known_hosts", Content: knows, Mode: 0o644}, // the cluster's nodes know each other
		},
		services: []scheduler.Service{{
			Name:  "sshd",
			Argv:  []string{"/usr/sbin/sshd", "-D", "-e"},
			Dirs:  []scheduler.File{{Path: "/run/sshd", Mode: 0o755}},
			Ready: listening(22),
		}},
	}
}

func sshdOptions(plan hpc.NodePlan) []byte {
	passwords, root := "no", "no"
	if plan.Self.HasRole(hpc.RoleLogin) {
		passwords = "yes"
		switch {
		case plan.Root.PasswordHash != "":
			root = "yes"
		case plan.Root.Key != "":
			root = "prohibit-password"
		}
	}
	text := sshdConfig + "PasswordAuthentication " + passwords + "\nPermitRootLogin " + root + "\n"
	if root != "no" {
		text += "Match User root\n\tAuthorizedKeysFile " + rootKeyPath + " .ssh/authorized_keys\n"
	}
	return []byte(text)
}

// lines is the text with an end of its line, nothing for nothing.
func lines(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(strings.TrimRight(text, "\n") + "\n")
}
