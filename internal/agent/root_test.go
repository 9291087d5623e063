package agent

import (
	"strings"
	"testing"

	"ehpc/internal/hpc"
)

func TestWithPassword(t *testing.T) {
	t.Parallel()
	const shadow = "root:*:19675:0:99999:7:::\ndaemon:*:19675:0:99999:7:::\n"
	got, err := withPassword([]byte(shadow), "root", "$y$x")
	if want := "root:$y$x:19675:0:99999:7:::\ndaemon:*:19675:0:99999:7:::\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	for name, c := range map[string]struct{ shadow, hash string }{
		"a hash with a colon changes nothing":      {shadow, "a:b"},
		"a hash with a line's end changes nothing": {shadow, "a\nevil::"},
		"a file without root is not made":          {"daemon:*:19675:0:99999:7:::\n", "$y$x"},
		"a line that is cut off is none":           {"root:*\n", "$y$x"},
	} {
		if got, err := withPassword([]byte(c.shadow), "root", c.hash); err == nil {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func FuzzWithPassword(f *testing.F) {
	f.Add("root:*:19675:0:99999:7:::\n", "$y$x")
	f.Add("root:x\nroot::::::::\n", "")
	f.Fuzz(func(t *testing.T, shadow, hash string) {
		got, err := withPassword([]byte(shadow), "root", hash)
		if err == nil && strings.Count(string(got), "\n") != strings.Count(shadow, "\n") {
			t.Errorf("%q became %q", shadow, got)
		}
	})
}

func TestRootLogsInOnLoginNodesOfSuchClustersAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		role hpc.Role
		root hpc.RootLogin
		want string
	}{
		{"without anything root stays out", hpc.RoleLogin, hpc.RootLogin{}, "no"},
		{"a password lets it in", hpc.RoleLogin, hpc.RootLogin{PasswordHash: "$y$x"}, "yes"},
		{"a key alone allows no password", hpc.RoleLogin, hpc.RootLogin{Key: "ssh-ed25519 A"}, "prohibit-password"},
		{"elsewhere root stays out", hpc.RoleCompute, hpc.RootLogin{PasswordHash: "$y$x"}, "no"},
	} {
		plan := hpc.NodePlan{Self: hpc.Member{Roles: []hpc.Role{c.role}}, Root: c.root}
		if got := string(sshdOptions(plan)); !strings.Contains(got, "PermitRootLogin "+c.want+"\n") {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}
