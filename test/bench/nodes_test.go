package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

// createClusters has beside it the start of the daemons alone, all at once, in
// machines that are there.
func createClusters(b *testing.B, w *world, t *table) {
	w.start(b)
	const rounds = 5
	r := &row{place: 50, what: fmt.Sprintf("CreateCluster until it runs: 1 manager, 1 login, %d compute nodes, image ready", computes),
		beside: "the daemons alone, by hand, in nodes that run", unit: "s", goal: atMost(4, "s")}
	hosts := slices.DeleteFunc(w.bare.hosts(), func(host string) bool { return slices.Contains(w.bare.extra(), host) })
	w.bare.everywhere(b, w.bare.hosts(), stopDaemons)
	for range rounds {
		begun := time.Now()
		c := w.service.Create(b, "sample", rig.Order{Managers: 1, Logins: 1, Computes: computes})
		r.ours = append(r.ours, time.Since(begun).Seconds())
		c.Delete(b)
		w.bare.everywhere(b, hosts, stopDaemons)
		clear(b, volume(w.bare.Cluster, "state", "slurm", "state"))
		begun = time.Now()
		w.bare.everywhere(b, hosts, startDaemons)
		w.bare.idle(b, computes)
		r.theirs = append(r.theirs, time.Since(begun).Seconds())
	}
	t.add(b, r)
	w.bare.everywhere(b, w.bare.extra(), startDaemons)
	w.bare.idle(b, computes+added)
}

// clear empties a directory.
func clear(b *testing.B, dir string) {
	b.Helper()
	entries, err := os.ReadDir(dir)
	rig.Must(b, err)
	for _, e := range entries {
		rig.Must(b, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
}

// extra are the other cluster's nodes beyond those that the service's has.
func (n *native) extra() (list []string) {
	for host := range n.nodes {
		if number, ok := strings.CutPrefix(host, "compute"); ok {
			if i, err := strconv.Atoi(number); err == nil && i >= computes {
				list = append(list, host)
			}
		}
	}
	slices.Sort(list)
	return list
}

func addNodes(b *testing.B, w *world, t *table) {
	w.start(b)
	const rounds = 3
	r := &row{place: 60, what: fmt.Sprintf("AddNodes of %d until all are idle in the scheduler", added),
		beside: "the daemons alone, by hand, in nodes that run", unit: "s", goal: atMost(6, "s")}
	for range rounds {
		begun := time.Now()
		w.cluster.AskNodes(b, added)
		w.idle(b, computes+added)
		r.ours = append(r.ours, time.Since(begun).Seconds())
		w.drop(b, added)
		w.bare.everywhere(b, w.bare.extra(), stopDaemons)
		w.bare.sh(b, "manager", "scontrol delete nodename="+strings.Join(w.bare.extra(), ","))
		begun = time.Now()
		w.bare.everywhere(b, w.bare.extra(), startDaemons)
		w.bare.idle(b, computes+added)
		r.theirs = append(r.theirs, time.Since(begun).Seconds())
	}
	t.add(b, r)
}

// idle waits until so many compute nodes are idle in the scheduler.
func (w *world) idle(b *testing.B, count int) {
	b.Helper()
	rig.Until(b, fmt.Sprintf("%d nodes are idle", count), 2*time.Minute, func() bool {
		idle := 0
		for _, n := range w.cluster.Nodes(b) {
			if n.StateInSched == "idle" && slices.Contains(n.Roles.Role, "Compute") {
				idle++
			}
		}
		return idle == count
	})
}

// drop deletes the compute nodes that were added last.
func (w *world) drop(b *testing.B, count int) {
	b.Helper()
	q := &api.DeleteNodesRequest{ClusterId: w.cluster.ID, ReleaseInstance: true}
	left := 0
	for _, n := range w.cluster.Nodes(b) {
		if number, ok := strings.CutPrefix(n.HostName, "compute"); ok {
			if i, err := strconv.Atoi(number); err == nil && i >= computes {
				q.Instance = append(q.Instance, api.DeleteNodesRequestInstance{Id: n.Id})
				continue
			}
		}
		left++
	}
	if len(q.Instance) != count {
		b.Fatalf("%d nodes were added, not %d", len(q.Instance), count)
	}
	w.cluster.Do(b, q, nil)
	rig.Until(b, "the added nodes are gone", 2*time.Minute, func() bool { return w.cluster.InService(b, left) })
}
