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

	"ehpc/test/e2e/rig"
)

// memory is what the programs hold while nothing is asked of them.
func memory(b *testing.B, w *world, t *table) {
	w.start(b)
	time.Sleep(5 * time.Second) // what the start left is given back
	server := &row{place: 110, what: "memory of the idle service", beside: "slurmctld", unit: "MB", goal: atMost(80, "MB"),
		ours: []float64{resident(b, w.service.PID())}, theirs: []float64{w.bare.largest(b, "slurmctld")}}
	ours := &native{Cluster: w.cluster, nodes: map[string]string{}}
	for _, node := range w.cluster.Nodes(b) {
		ours.nodes[node.HostName] = node.Id
	}
	agent := &row{place: 111, what: fmt.Sprintf("memory of an idle agent, the largest of %d", len(ours.nodes)), beside: "slurmd", unit: "MB",
		goal: atMost(15, "MB"), ours: []float64{ours.largest(b, "ehpc-agent")}, theirs: []float64{w.bare.largest(b, "slurmd")}}
	t.add(b, server)
	t.add(b, agent)
}

// resident is what a process holds of memory, in MB.
func resident(b *testing.B, pid int) float64 {
	b.Helper()
	kb, err := strconv.ParseFloat(strings.Fields(field(b, fmt.Sprintf("/proc/%d/status", pid), "VmRSS"))[0], 64)
	rig.Must(b, err)
	return kb / 1024
}

// largest is the most that a program of that name holds on one of the nodes.
func (n *native) largest(b *testing.B, name string) float64 {
	b.Helper()
	var found []float64
	for _, id := range n.nodes {
		init := n.Machine(b, id).Init
		inside, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", init))
		rig.Must(b, err)
		processes, _ := filepath.Glob("/proc/[0-9]*")
		for _, p := range processes {
			if ns, err := os.Readlink(p + "/ns/pid"); err != nil || ns != inside {
				continue
			}
			comm, err := os.ReadFile(p + "/comm")
			if err != nil || strings.TrimSpace(string(comm)) != name {
				continue
			}
			pid, err := strconv.Atoi(filepath.Base(p))
			rig.Must(b, err)
			found = append(found, resident(b, pid))
		}
	}
	if len(found) == 0 {
		b.Fatalf("no node runs %s", name)
	}
	return slices.Max(found)
}
