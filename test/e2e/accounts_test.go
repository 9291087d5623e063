package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"ehpc/test/e2e/rig"
)

// accountLimit is how long an account may take from AddUsers' answer until a
// node knows it.
const accountLimit = time.Minute

func testAccounts(t *testing.T, c *rig.Cluster) {
	c.AddAccount(t, "kovalevskaya", "users")
	added := time.Now()
	for host, r := range c.Everywhere(t, `until id kovalevskaya >/dev/null; do sleep 0.02; done; date +%s%N`) {
		known, err := strconv.ParseInt(strings.TrimSpace(lastLine(r.Output)), 10, 64)
		if err != nil || r.ExitCode != 0 {
			t.Errorf("%s: %v %+v", host, err, r)
			continue
		}
		if late := time.Unix(0, known).Sub(added); late > accountLimit {
			t.Errorf("%s knew the account after %s, the limit is %s", host, late, accountLimit)
		}
	}

	c.AddAccount(t, "germain", "wheel")
	awaitAccount(t, c, "germain")
	const sudo = `su - %s -c "sudo -n id -un"`
	for _, host := range []string{"login0", "compute000"} {
		if got := c.Shell(t, host, strings.ReplaceAll(sudo, "%s", "germain")); got != "root" {
			t.Errorf("sudo on %s makes an account of wheel %q", host, got)
		}
		if r := c.Try(t, host, strings.ReplaceAll(sudo, "%s", "kovalevskaya")); r.ExitCode == 0 {
			t.Errorf("sudo on %s let an account of users in: %+v", host, r)
		}
	}

	have := len(c.Nodes(t))
	c.Add(t, 1)
	later := c.Nodes(t)
	for _, n := range later {
		if n.HostName == "compute001" {
			if got := c.Shell(t, n.HostName, "id -un kovalevskaya && su - germain -c 'sudo -n id -un'"); got != "kovalevskaya\nroot" {
				t.Errorf("a node that was added later says %q", got)
			}
			c.Drop(t, n.Id)
		}
	}
	rig.Until(t, "the node has gone again", rig.GoAway, func() bool { return len(c.Nodes(t)) == have })
}

func testHomes(t *testing.T, c *rig.Cluster) {
	c.AddAccount(t, "noether", "users")
	c.AddAccount(t, "hypatia", "wheel")
	awaitAccount(t, c, "noether")
	awaitAccount(t, c, "hypatia")
	for _, name := range []string{"noether", "hypatia"} {
		if got := c.Shell(t, "compute000", "stat -c '%a %U' /home/"+name); got != "700 "+name {
			t.Errorf("the home of %s is %q", name, got)
		}
	}
	if r := c.Try(t, "login0", "su - noether -c 'ls /home/hypatia'"); r.ExitCode == 0 {
		t.Errorf("one account reads another's home: %+v", r)
	}
}

// awaitAccount waits until every node knows the account and has its home.
func awaitAccount(t *testing.T, c *rig.Cluster, name string) {
	t.Helper()
	for host, r := range c.Everywhere(t, "timeout 10 sh -c 'until id "+name+" && test -O /home/"+name+" -o \"$(stat -c %U /home/"+name+")\" = "+name+"; do sleep 0.05; done'") {
		if r.ExitCode != 0 {
			t.Fatalf("%s does not know %s: %+v", host, name, r)
		}
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
