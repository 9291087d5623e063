package e2e

import (
	"fmt"
	"testing"

	"ehpc/test/e2e/rig"
)

// testWalls tries the ports of another cluster's manager, which its own nodes reach.
func testWalls(t *testing.T, c *rig.Cluster) {
	other := c.Server.Create(t, "other", rig.Order{Managers: 1, Logins: 1})
	target := other.Node(t, "manager").IpAddress
	for name, port := range map[string]int{"ssh": 22, "the scheduler": 6817} {
		knock := fmt.Sprintf("timeout 1 bash -c '</dev/tcp/%s/%d'", target, port)
		if r := other.Try(t, "login0", knock); r.ExitCode != 0 {
			t.Errorf("%s is not reached from inside either, which shows nothing: %+v", name, r)
		}
		for _, host := range []string{"manager", "compute000"} {
			if r := c.Try(t, host, knock); r.ExitCode == 0 {
				t.Errorf("%s of another cluster is reached from %s", name, host)
			}
		}
	}
	other.Delete(t)
}
