package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSSH is an ssh that tells what it was given and ends with exit status 9.
const fakeSSH = `#!/bin/sh
for arg; do echo "arg: $arg"; done
for arg; do case $arg in UserKnownHostsFile=*) eval "file=${arg#*=}"; echo "known: $(cat "$file")";; esac; done
[ -z "$SSH_ASKPASS" ] || echo "password: $("$SSH_ASKPASS" prompt)"
exit 9
`

func TestSSHIsRunWithTheGatewaysKey(t *testing.T) {
	bin, temp := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(fakeSSH), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("TMPDIR", temp)
	s := newService(t, nil)
	way := []string{envSSH, "127.0.0.1:8422", envSSHHostKey, "ssh-ed25519 AAAA"}
	for _, c := range []struct {
		name   string
		env    []string
		args   []string
		want   []string
		not    string
		status int
	}{
		{"a login", append(way, "USER", "lovelace"), []string{"ssh", "ehpc-hz-1"},
			[]string{"arg: lovelace@ehpc-hz-1\n", "arg: 8422\n", "arg: StrictHostKeyChecking=yes\n", "arg: --\narg: 127.0.0.1\nknown", "known: ehpc-gateway ssh-ed25519 AAAA\n"}, "password", 9},
		{"a command of several words", way, []string{"ssh", "ehpc-hz-1", "-l", "noether", "--", "echo", "a b"},
			[]string{"arg: noether@ehpc-hz-1\n", "arg: echo 'a b'\n"}, "password", 9},
		{"a password that is given", append(way, envPassword, "it's $secret"), []string{"ssh", "ehpc-hz-1", "-l", "noether"},
			[]string{"password: it's $secret\n"}, "arg: it's", 9},
		{"no gateway", nil, []string{"ssh", "ehpc-hz-1", "-l", "noether"}, []string{envSSH}, "arg:", 1},
		{"a gateway without its key", way[:2], []string{"ssh", "ehpc-hz-1", "-l", "noether"}, []string{envSSHHostKey}, "arg:", 1},
		{"no cluster", way, []string{"ssh"}, []string{"missing CLUSTER"}, "arg:", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.run("", c.env, c.args...)
			text := got.out + got.err
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			if strings.Contains(text, c.not) || got.status != c.status {
				t.Errorf("exit status %d, or there is %q:\n%s", got.status, c.not, text)
			}
		})
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestServicesSideBySide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ asked, api, want string }{
		{"", "127.0.0.1:8412", gatewayAddress},
		{"", "127.0.0.1:0", "127.0.0.1:0"},
		{"0.0.0.0:22", "127.0.0.1:0", "0.0.0.0:22"},
		{"off", "127.0.0.1:8412", "off"},
	} {
		if got := sshAddress(c.asked, c.api); got != c.want {
			t.Errorf("asked for %q beside %s: %s, want %s", c.asked, c.api, got, c.want)
		}
	}
}
