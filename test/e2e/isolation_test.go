package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"ehpc/test/e2e/rig"
)

// attempt is what somebody on a node tries; its script succeeds only if it
// could be done.
type attempt struct{ name, script string }

func TestNobodyOnANodeGetsOutOfItsCluster(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	mine := s.Create(t, "mine", rig.Order{Computes: 1})
	other := s.Create(t, "other", rig.Order{Computes: 1})
	mine.AddAccount(t, "noether", "wheel")
	mine.AddAccount(t, "somerville", "users")
	rig.Until(t, "the accounts are on the node", rig.ComeUp, func() bool {
		return mine.Try(t, "compute000", "id noether && id somerville").ExitCode == 0
	})

	reach := func(address, port string) string {
		return "timeout 2 bash -c 'echo > /dev/tcp/" + address + "/" + port + "'"
	}
	if r := mine.Try(t, "compute000", reach(mine.Node(t, "manager").IpAddress, "22")); r.ExitCode != 0 {
		t.Errorf("the own manager is out of reach, so what follows shows nothing: %+v", r)
	}
	endpoint, err := url.Parse(s.Config.Endpoint)
	rig.Must(t, err)
	attempts := []attempt{
		{"set the core pattern", "echo x > /proc/sys/kernel/core_pattern"},
		{"use sysrq", "echo h > /proc/sysrq-trigger"},
		{"make a device", "mknod /root/x b 8 0 || mknod /home/x b 8 0 || mknod /tmp/x c 1 1"},
		{"open the memory", "head -c 1 /dev/mem"},
		{"set a release agent", "for d in /sys/fs/cgroup/*; do test -e $d/release_agent && echo /x > $d/release_agent && exit 0; done; exit 1"},
		{"allow itself devices", "echo a > /sys/fs/cgroup/devices/devices.allow"},
		{"mount", "mount -t tmpfs none /mnt"},
		{"lift the restrictions of the share", "mount -o remount,suid,dev /home"},
		{"replace the agent", "echo x > /ehpc/bin/ehpc-agent"},
		{"see the data of the server", "ls " + s.Dir + " || cat /proc/*/root" + s.Dir + "/credentials.env"},
		{"reach the manager of another cluster", reach(other.Node(t, "manager").IpAddress, "22")},
		{"reach the API", reach(endpoint.Hostname(), endpoint.Port())},
		{"take the host's slots for asynchronous input", `perl -e 'my $slots = "\0" x 8; exit(syscall(206, 1, $slots) < 0)'`},
		{"make an io_uring", `perl -e 'my $how = "\0" x 120; exit(syscall(425, 8, $how) < 0)'`},
		{"take the host's terminals", `perl -e 'for (1..300) { open(my $f, "+<", "/dev/ptmx") or exit 1; push @all, $f }'`},
	}
	for _, who := range []struct{ name, command string }{
		{"root", "sh"}, {"an account of wheel", "runuser -u noether -- sh"}, {"an account of wheel with sudo", "runuser -u noether -- sudo -n sh"},
	} {
		tryAll(t, mine, who.name, who.command, attempts)
	}
	// What root of the cluster may see, an ordinary account may not.
	if r := mine.Try(t, "compute000", "runuser -u noether -- sudo -n cat /etc/munge/munge.key >/dev/null"); r.ExitCode != 0 {
		t.Errorf("root of the cluster cannot read what others may not: %+v", r)
	}
	tryAll(t, mine, "an ordinary account", "runuser -u somerville -- sh", []attempt{
		{"use sudo", "sudo -n true"},
		{"read the key of the cluster", "cat /etc/munge/munge.key"},
		{"read the claims", "ls /ehpc/claims"},
		{"reach the link of the agent", "ls /ehpc/link"},
		{"read the journal", "ls /var/lib/ehpc"},
		{"read the passwords", "cat /var/lib/extrausers/shadow"},
		{"read the home of another", "ls /home/noether"},
		{"see a process of another", "ls /proc/1 || ps -e | grep -q s6-svscan"},
		{"read the command line of another", "cat /proc/1/cmdline"},
		{"read the logs of daemons", "cat /var/log/ehpc/*/current || ls /var/log/ehpc/*"},
	})
	setUserID(t, mine)
	mine.Delete(t)
	other.Delete(t)
}

// tryAll makes all attempts on a node with one command, which may not be long.
func tryAll(t *testing.T, c *rig.Cluster, who, command string, attempts []attempt) {
	t.Helper()
	var packed bytes.Buffer
	encoder := base64.NewEncoder(base64.StdEncoding, &packed)
	script := gzip.NewWriter(encoder)
	for i, a := range attempts {
		fmt.Fprintf(script, "( %s ) </dev/null >/dev/null 2>&1 && echo done %d\n", a.script, i)
	}
	fmt.Fprint(script, "echo tried\n")
	rig.Must(t, errors.Join(script.Close(), encoder.Close()))
	out := c.Shell(t, "compute000", "echo "+packed.String()+" | base64 -d | gunzip | "+command)
	if !strings.HasSuffix(out, "tried") {
		t.Errorf("%s tried nothing: %s", who, out)
	}
	for line := range strings.Lines(out) {
		if number, ok := strings.CutPrefix(strings.TrimSpace(line), "done "); ok {
			i, err := strconv.Atoi(number)
			rig.Must(t, err)
			t.Errorf("%s could %s", who, attempts[i].name)
		}
	}
}

// setUserID checks that root's programs on the share do not run as root for
// others.
func setUserID(t *testing.T, c *rig.Cluster) {
	t.Helper()
	c.Shell(t, "manager", "cp /usr/bin/id /home/become && chmod 4755 /home/become && cp /usr/bin/id /opt/become && chmod 4755 /opt/become")
	for _, dir := range []string{"/home", "/opt"} {
		if uid := c.Shell(t, "compute000", "runuser -u somerville -- "+dir+"/become -u"); uid == "0" {
			t.Errorf("a set-uid program in %s made an account root", dir)
		}
	}
}
