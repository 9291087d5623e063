package e2e

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"ehpc/test/e2e/rig"
)

const (
	// killWithin is how long after the first job of a round something is killed.
	killWithin = 7 * time.Second
	// goOn is how long jobs are submitted after that.
	goOn = 1500 * time.Millisecond
	// settleLimit is how long it may take until every job of a round has ended and
	// the cluster takes new ones.
	settleLimit = 5 * time.Minute
)

// victim is what gets killed.
type victim struct {
	name string
	kill func(*testing.T, *stream, map[string]string) // with the nodes' ids by hostname
	host string                                       // whose running jobs die with it, "" for none
}

var victims = []victim{
	{"slurmctld", daemon("manager", "slurmctld"), ""},
	{"the service", func(t *testing.T, s *stream, _ map[string]string) { s.restart(t) }, ""},
	{"the agent of a compute node", daemon("compute000", "ehpc-agent"), ""},
	{"the agent of the manager", daemon("manager", "ehpc-agent"), ""},
	{"the manager", machine("manager"), ""},
	{"a compute node", machine("compute000"), "compute000"},
}

func daemon(host, name string) func(*testing.T, *stream, map[string]string) {
	return func(t *testing.T, s *stream, nodes map[string]string) { s.c.KillDaemon(t, nodes[host], name) }
}

func machine(host string) func(*testing.T, *stream, map[string]string) {
	return func(t *testing.T, s *stream, nodes map[string]string) {
		rig.Must(t, syscall.Kill(s.c.Machine(t, nodes[host]).Init, syscall.SIGKILL))
	}
}

// TestEveryJobRunsOnceWhateverIsKilled kills at random moments while short jobs
// are submitted and run. EHPC_SEED repeats the moments of a run, and
// EHPC_SOAK_ROUNDS says how often each victim is killed.
func TestEveryJobRunsOnceWhateverIsKilled(t *testing.T) {
	t.Parallel()
	killEach(t, rounds(t, 3))
}

// TestEveryJobRunsOnceBesideOtherWork kills while the machine is busy with other
// work. No other test runs beside it.
func TestEveryJobRunsOnceBesideOtherWork(t *testing.T) {
	rig.KeepBusy(t, 4)
	killEach(t, rounds(t, 2))
}

// killEach kills every victim in rounds, each on a cluster of its own.
func killEach(t *testing.T, rounds int) {
	base, _ := seed(t)
	seen := make([]summary, len(victims))
	t.Cleanup(func() { // after all of them
		for i, v := range victims {
			t.Logf("%s: %s", v.name, seen[i])
		}
	})
	for i, v := range victims {
		t.Run(v.name+" is killed", func(t *testing.T) {
			t.Parallel()
			h := fnv.New64a()
			h.Write([]byte(v.name))
			k := newKilling(t, v, rand.New(rand.NewPCG(base, h.Sum64())))
			defer func() { seen[i] = k.seen }()
			for n := range rounds {
				k.round(t, n)
			}
			k.stillTrue(t)
			k.c.Delete(t)
		})
	}
}

// rounds is how often each victim is killed, unless the environment says it.
func rounds(t *testing.T, otherwise int) int {
	t.Helper()
	text := os.Getenv("EHPC_SOAK_ROUNDS")
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("EHPC_SOAK_ROUNDS=%q is no number of rounds", text)
	}
	return n
}

// seed is random and told, so that a failure can be looked into; EHPC_SEED gives it.
func seed(t *testing.T) (uint64, uint64) {
	t.Helper()
	s := rand.Uint64()
	if text := os.Getenv("EHPC_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("EHPC_SEED=%q is no seed", text)
		}
	}
	t.Logf("seed %d; EHPC_SEED=%[1]d repeats it", s)
	return s, 0
}
