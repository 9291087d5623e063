package bench

import (
	"slices"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// BenchmarkService measures a real service on real nodes and, when
// EHPC_BENCH_TABLE names a file, writes what it measured there.
func BenchmarkService(b *testing.B) {
	t := newTable(b)
	s := rig.Start(b)
	b.Run("CreateCluster", func(b *testing.B) { createClusters(b, s, t) })

	c := s.Create(b, "bench", rig.Order{Managers: 1, Logins: 1, Computes: 1})
	b.Run("AddNodes", func(b *testing.B) { addNodes(b, c, t) })
	ada := c.AddAccount(b, "lovelace", "users")
	// What is measured is the submission: the only node is busy and nothing starts.
	c.AwaitJob(b, c.Submit(b, ada, &api.SubmitJobRequest{CommandLine: "sleep 3600"}), "RUNNING")
	b.Run("SubmitJob", func(b *testing.B) { submitJobs(b, c, ada, t) })
	b.Run("sbatch", func(b *testing.B) { sbatch(b, c, ada, t) })
	c.Delete(b)

	b.Run("ListRegions", func(b *testing.B) { listRegions(b, s, t) })
	b.Run("empty", func(b *testing.B) { emptyHandler(b, t) })
	t.write(b)
}

func createClusters(b *testing.B, s *rig.Server, t *table) {
	t.add(b, "CreateCluster until it runs: 1 manager, 1 login, 2 compute nodes", "goal: 4 s", median(5, func() time.Duration {
		begun := time.Now()
		c := s.Create(b, "sample", rig.Order{Managers: 1, Logins: 1, Computes: 2})
		took := time.Since(begun)
		c.Delete(b)
		return took
	}))
}

func addNodes(b *testing.B, c *rig.Cluster, t *table) {
	t.add(b, "AddNodes of 4 until all are idle in the scheduler", "", median(3, func() time.Duration {
		begun := time.Now()
		c.AskNodes(b, 4)
		rig.Until(b, "the added nodes are idle", rig.ComeUp, func() bool {
			nodes := c.Nodes(b)
			return len(nodes) == 7 && !slices.ContainsFunc(nodes, func(n api.ListNodesNodeInfo) bool {
				return n.HostName > "compute000" && n.HostName < "login0" && n.StateInSched != "idle"
			})
		})
		took := time.Since(begun)
		var added []string
		for _, n := range c.Nodes(b) {
			if n.HostName > "compute000" && n.HostName < "login0" {
				added = append(added, n.Id)
			}
		}
		c.Drop(b, added...)
		rig.Until(b, "the added nodes are gone", rig.GoAway, func() bool { return c.InService(b, 3) })
		return took
	}))
}

// median of so many samples.
func median(samples int, sample func() time.Duration) duration {
	all := make([]time.Duration, samples)
	for i := range all {
		all[i] = sample()
	}
	slices.Sort(all)
	return duration{all[samples/2], all[0], all[samples-1], samples}
}
