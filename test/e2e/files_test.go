package e2e

import (
	"strings"
	"testing"

	"ehpc/test/e2e/rig"
)

func testJobFiles(t *testing.T, c *rig.Cluster) {
	tao := c.AddAccount(t, "terence", "users")
	c.AddAccount(t, "grothendieck", "users")
	awaitAccount(t, c, "terence")
	awaitAccount(t, c, "grothendieck")
	c.Shell(t, "manager", `cd /home/terence && ln -s /etc out && ln -s /etc/passwd file && ln -s inside loop && ln -s loop inside &&
		mkdir sub && ln -s ../../grothendieck sub/neighbour && chown -hR terence: .`)
	for reason, path := range map[string]string{
		"two dots":                       "../x",
		"two dots in the middle":         "a/../../x",
		"two dots that stay inside":      "a/../x",
		"a link out of the home":         "out/x",
		"a file that is a link out":      "file",
		"a link to a neighbour's home":   "sub/neighbour/x",
		"links in a circle":              "loop/x",
		"an absolute path outside":       "/etc/ehpc-was-here",
		"a directory that root shares":   "/opt/ehpc-was-here",
		"another account's home":         "/home/grothendieck/x",
		"a home whose name begins alike": "/home/terenceX/x",
		"the home itself":                "/home/terence",
		"a directory":                    "sub/",
		"a file system of the kernel":    "/proc/self/environ",
		"root's home":                    "/root/x",
	} {
		t.Run(reason, func(t *testing.T) {
			c.Refused(t, "InvalidParams", rig.FileRequest(c, tao, path, "x"))
		})
	}
	c.Refused(t, "InvalidParams", rig.FileRequest(c, tao, "nul", "a\x00b"))
	c.Refused(t, "IncorrectCredential", rig.FileRequest(c, rig.Account{Name: "terence", Password: "Wrong-1234"}, "x", "x"))

	c.Put(t, tao, "deep/er/run.sh", "#!/bin/sh\necho \"全 ok\"\n")
	c.Put(t, tao, "~/plain", "first")
	c.Put(t, tao, "/home/terence/plain2", "second")
	got := c.Shell(t, "compute000", `cd /home/terence && stat -c '%n %U:%G %a' deep deep/er deep/er/run.sh plain2 && su terence -c ./deep/er/run.sh`)
	want := "deep terence:terence 755\ndeep/er terence:terence 755\ndeep/er/run.sh terence:terence 700\nplain2 terence:terence 600\n全 ok"
	if got != want {
		t.Errorf("the files are\n%s\nwant\n%s", got, want)
	}
	for _, left := range strings.Fields(c.Shell(t, "manager", `ls -d /etc/x /etc/ehpc-was-here /opt/ehpc-was-here /home/x /home/terenceX 2>/dev/null; ls -A /home/grothendieck; true`)) {
		t.Errorf("outside the home there is now %s", left)
	}
}
