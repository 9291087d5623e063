package e2e

import (
	"testing"

	"ehpc/test/e2e/rig"
)

// TestOnOneCluster holds what several tests can do on one cluster side by side,
// each with accounts of its own.
func TestOnOneCluster(t *testing.T) {
	t.Parallel()
	s := rig.Start(t)
	c := s.Create(t, "shared", rig.Order{Managers: 1, Logins: 1, Computes: 1})
	t.Run("side by side", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *rig.Cluster){
			"accounts reach every node":                      testAccounts,
			"a home is for its account alone":                testHomes,
			"a job file stays in its account's home":         testJobFiles,
			"a login node is where people submit":            testSbatch,
			"a command's outcome is told as it was":          testCommands,
			"a cluster cannot reach another's addresses":     testWalls,
			"requests are held to their limits on the wire":  testWire,
			"a signature is good once, and for its time":     testSignatures,
			"a disabled key is refused from that moment on":  testDisabledKey,
			"what cannot be done is refused with its reason": testRefusals,
			"a client that gave up may ask again":            testGivingUp,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, c)
			})
		}
	})
	c.Delete(t)
}
