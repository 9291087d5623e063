package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
)

func (c *cli) newSSHCommand() *cobra.Command {
	var account string
	var secret passwordSource
	cmd := c.addFlags(&cobra.Command{
		Use:   "ssh CLUSTER [-- COMMAND...]",
		Short: "Log in on a cluster's login node",
		Long: `Log in on a cluster's login node, or run a command there, as an account. This
machine's own ssh does it, through the service's gateway, whose key it checks.
Without -l the account has the name that you have here. The password is asked
for on the terminal unless --password-file or EHPC_PASSWORD gives it; a key of
yours in the account's ~/.ssh/authorized_keys does as well. The exit status is
the command's, 255 if there was no login.`,
		Example: `  ehpc ssh lab -l lovelace
  ehpc ssh lab -l lovelace -- squeue --me`,
		Args: argsFrom("CLUSTER"),
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		way, err := c.gateway()
		if err != nil {
			return err
		}
		r, err := c.connect(cmd)
		if err != nil {
			return err
		}
		id, err := r.cluster(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		way.user = first(account, c.env("USER"), c.env("LOGNAME")) + "@" + id
		if secret.file != "" || c.env(envPassword) != "" {
			if way.password, err = secret.ask(cmd, c.env, account); err != nil {
				return err
			}
		}
		return way.run(cmd.Context(), cmd, args[1:])
	}
	cmd.Flags().StringVarP(&account, "account", "l", "", "`ACCOUNT` to log in as (default: your name here)")
	secret.addFlag(cmd.Flags())
	return cmd
}

// sshWay is how ssh gets to a login node.
type sshWay struct {
	host, port, hostKey string
	user, password      string
}

// gateway finds where people log in and the key that it must have.
func (c *cli) gateway() (sshWay, error) {
	_, file, err := c.where.settings(c.env)
	if err != nil {
		return sshWay{}, err
	}
	sources := []source{c.env, func(name string) string { return file[name] }}
	if c.where.file != "" {
		slices.Reverse(sources) // a file that is named on the command line is a flag
	}
	address, key := find(sources, envSSH), find(sources, envSSHHostKey)
	if address == "" || key == "" {
		return sshWay{}, &failure{"log in", errors.New(envSSH + " and " + envSSHHostKey + " are not set; a service that lets people in writes them into its credentials.env")}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return sshWay{}, &failure{"log in", fmt.Errorf("%s is %q, not HOST:PORT", envSSH, address)}
	}
	return sshWay{host: host, port: port, hostKey: key}, nil
}

// alias stands for the gateway in the file of known hosts made for ssh.
const alias = "ehpc-gateway"

// run has ssh log in, and returns its exit status. It stays here until then, to
// remove what ssh needed.
func (w sshWay) run(_ context.Context, cmd *cobra.Command, command []string) error {
	program, err := exec.LookPath("ssh")
	if err != nil {
		return &failure{"log in", errors.New("this machine has no ssh; install it (Debian: apt-get install openssh-client)")}
	}
	dir, err := os.MkdirTemp("", "ehpc-ssh-")
	if err != nil {
		return &failure{"log in", err}
	}
	defer os.RemoveAll(dir)
	known := filepath.Join(dir, "known_hosts")
	if err := os.WriteFile(known, []byte(alias+" "+w.hostKey+"\n"), 0o600); err != nil {
		return &failure{"log in", err}
	}
	// Not ended with the context: an interrupt is for what runs at the other end.
	options := w.options(known)
	if len(command) > 0 {
		options = append(options, shellLine(command))
	}
	ssh := exec.Command(program, options...)
	ssh.Stdin, ssh.Stdout, ssh.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	ssh.Env = os.Environ()
	if w.password != "" {
		ask := filepath.Join(dir, "ask")
		if err := os.WriteFile(ask, []byte("#!/bin/sh\nprintf '%s\\n' \"$"+envPassword+"\"\n"), 0o700); err != nil {
			return &failure{"log in", err}
		}
		ssh.Env = append(ssh.Env, envPassword+"="+w.password, "SSH_ASKPASS="+ask, "SSH_ASKPASS_REQUIRE=force")
	}
	err = ssh.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitStatus(max(exit.ExitCode(), 1)) // -1: ssh itself was killed
	}
	if err != nil {
		return &failure{"log in", err}
	}
	return nil
}

func (w sshWay) options(known string) []string {
	options := []string{"-p", w.port, "-l", w.user,
		"-o", `UserKnownHostsFile="` + known + `"`, "-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlias=" + alias, "-o", "UpdateHostKeys=no",
		"-o", "ControlPath=none"}
	if w.password != "" {
		options = append(options, "-o", "NumberOfPasswordPrompts=1")
	}
	return append(options, "--", w.host)
}
