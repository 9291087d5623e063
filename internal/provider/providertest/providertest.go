// Package providertest is the conformance suite of provider.Provider. Every
// provider passes it, the fake included, so that what is tested on the fake
// holds on real machines.
package providertest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
)

// Host is a provider under test and what the suite can do to it. Every call of
// the function given to Run returns one with nothing on it.
type Host struct {
	Provider provider.Provider
	Image    string           // an image that is there
	Type     hpc.InstanceType // fits at least four times
	TooBig   hpc.InstanceType // never fits

	// Kill ends a machine's init from outside.
	Kill func(t testing.TB, id string)
	// Restart returns a provider as a new process would have it after the old
	// one was killed.
	Restart func(t testing.TB) provider.Provider
	// Points are where being killed leaves something different behind.
	CreateClusterPoints, DeleteClusterPoints, CreatePoints, DestroyPoints []string
	// CrashAt makes the next call that reaches the point fail there, with nothing
	// undone.
	CrashAt func(point string)
	// Reaches tells whether a machine gets through to an address, or is nil if
	// machines have no network here.
	Reaches func(t testing.TB, from, address string) bool
}

// Run runs the suite.
func Run(t *testing.T, open func(t testing.TB) Host) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Host)
	}{
		{"a created machine runs and is listed", createdRuns},
		{"creating a machine twice makes one", createTwice},
		{"creating a cluster twice makes one", createClusterTwice},
		{"machines of a cluster have addresses of their own", distinctAddresses},
		{"a machine needs its cluster", needsCluster},
		{"a machine needs an image that is there", needsImage},
		{"a killed machine is noticed within a second", killNoticed},
		{"a machine that died unwatched is told at once", diedUnwatched},
		{"a dead machine is made anew at its address", madeAnew},
		{"destroying twice and destroying the unknown is fine", destroyTwice},
		{"deleting a cluster twice and deleting the unknown is fine", deleteClusterTwice},
		{"deleting a cluster takes its machines along", deleteClusterWithMachines},
		{"what does not fit is refused and leaves nothing", refusesTooBig},
		{"a new process finds everything running", restartKeeps},
		{"a machine that is taken back is told before and is another when it is made anew", reclaimed},
		{"a machine that is taken back at once ends without notice", reclaimedAtOnce},
		{"a notice outlives the process that gave it", reclaimKept},
		{"only a machine that runs can be taken back", reclaimNothing},
		{"machines reach their cluster and no other", isolated},
		{"creating a cluster goes on after a crash at every point", createClusterCrash},
		{"deleting a cluster goes on after a crash at every point", deleteClusterCrash},
		{"creating a machine goes on after a crash at every point", createCrash},
		{"destroying a half made machine leaves nothing", destroyHalfMade},
		{"destroying a machine goes on after a crash at every point", destroyCrash},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

const clusterID, otherClusterID = "ehpc-hz-one", "ehpc-hz-two"

func (h Host) spec(id string) provider.Spec {
	return provider.Spec{ID: id, ClusterID: clusterID, Hostname: "node-" + id[2:], Type: h.Type, Image: h.Image}
}

// cluster makes the suite's cluster.
func (h Host) cluster(t *testing.T) {
	t.Helper()
	if err := h.Provider.CreateCluster(t.Context(), clusterID); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, p provider.Provider, spec provider.Spec) provider.Machine {
	t.Helper()
	m, err := p.Create(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func destroy(t *testing.T, p provider.Provider, id string) {
	t.Helper()
	if err := p.Destroy(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T, p provider.Provider) map[string]provider.Machine {
	t.Helper()
	machines, err := p.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]provider.Machine{}
	for _, m := range machines {
		if _, twice := byID[m.ID]; twice {
			t.Errorf("machine %s is listed twice", m.ID)
		}
		byID[m.ID] = m
	}
	return byID
}

func clusters(t *testing.T, p provider.Provider) []string {
	t.Helper()
	ids, err := p.Clusters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	return ids
}

func createdRuns(t *testing.T, h Host) {
	h.cluster(t)
	m := create(t, h.Provider, h.spec("i-a"))
	want := provider.Machine{ID: "i-a", ClusterID: clusterID, Hostname: "node-a", State: provider.Running, Address: m.Address, BootID: m.BootID}
	if m != want || m.Address == "" || m.BootID == "" {
		t.Errorf("created %+v, want %+v with an address and a boot id", m, want)
	}
	if got := list(t, h.Provider); len(got) != 1 || got["i-a"] != m {
		t.Errorf("listed %+v, want %+v", got, m)
	}
}

func createTwice(t *testing.T, h Host) {
	h.cluster(t)
	first := create(t, h.Provider, h.spec("i-a"))
	if second := create(t, h.Provider, h.spec("i-a")); second != first {
		t.Errorf("the second call answered %+v, the first %+v", second, first)
	}
	if got := list(t, h.Provider); len(got) != 1 {
		t.Errorf("listed %+v, want one machine", got)
	}
}

func createClusterTwice(t *testing.T, h Host) {
	h.cluster(t)
	m := create(t, h.Provider, h.spec("i-a"))
	h.cluster(t)
	if got := clusters(t, h.Provider); !slices.Equal(got, []string{clusterID}) {
		t.Errorf("clusters are %v", got)
	}
	if got := list(t, h.Provider)["i-a"]; got != m {
		t.Errorf("the machine is now %+v, was %+v", got, m)
	}
}

func distinctAddresses(t *testing.T, h Host) {
	h.cluster(t)
	seen := map[string]string{}
	for _, id := range []string{"i-a", "i-b", "i-c"} {
		m := create(t, h.Provider, h.spec(id))
		if other, taken := seen[m.Address]; taken {
			t.Errorf("%s and %s both have %s", id, other, m.Address)
		}
		seen[m.Address] = id
	}
}

func needsCluster(t *testing.T, h Host) {
	if m, err := h.Provider.Create(t.Context(), h.spec("i-a")); err == nil {
		t.Errorf("created %+v in a cluster that is not there", m)
	}
	if got := list(t, h.Provider); len(got) != 0 {
		t.Errorf("left %+v", got)
	}
}

func needsImage(t *testing.T, h Host) {
	h.cluster(t)
	spec := h.spec("i-a")
	spec.Image = "no-such-image"
	if m, err := h.Provider.Create(t.Context(), spec); err == nil {
		t.Errorf("created %+v on an image that is not there", m)
	}
	if got := list(t, h.Provider); len(got) != 0 {
		t.Errorf("left %+v", got)
	}
}

// watch starts Watch and returns where it tells; it ends with the test.
func watch(t *testing.T, p provider.Provider) <-chan time.Time {
	told := make(chan time.Time, 100)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Watch(ctx, func() {
			select {
			case told <- time.Now():
			default:
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return told
}

// noticeLimit is far more than Provider.Watch promises, a second: time limits are for
// what is broken.
const noticeLimit = 30 * time.Second

func waitDead(t *testing.T, p provider.Provider, id string, told <-chan time.Time) {
	t.Helper()
	limit := time.After(noticeLimit)
	for list(t, p)[id].State != provider.Dead {
		select {
		case <-told:
		case <-limit:
			t.Fatalf("%s is %+v after %v", id, list(t, p)[id], noticeLimit)
		}
	}
}

func killNoticed(t *testing.T, h Host) {
	h.cluster(t)
	create(t, h.Provider, h.spec("i-a"))
	told := watch(t, h.Provider)
	create(t, h.Provider, h.spec("i-b")) // taken up while watching
	for _, id := range []string{"i-b", "i-a"} {
		for len(told) > 0 {
			<-told
		}
		h.Kill(t, id)
		select {
		case <-told:
		case <-time.After(noticeLimit):
			t.Fatalf("the end of %s was not told within %v", id, noticeLimit)
		}
		waitDead(t, h.Provider, id, told)
	}
}

func diedUnwatched(t *testing.T, h Host) {
	h.cluster(t)
	create(t, h.Provider, h.spec("i-a"))
	h.Kill(t, "i-a")
	p := h.Restart(t)
	waitDead(t, p, "i-a", watch(t, p))
}

func madeAnew(t *testing.T, h Host) {
	h.cluster(t)
	before := create(t, h.Provider, h.spec("i-a"))
	create(t, h.Provider, h.spec("i-b"))
	told := watch(t, h.Provider)
	h.Kill(t, "i-a")
	waitDead(t, h.Provider, "i-a", told)
	after := create(t, h.Provider, h.spec("i-a"))
	if after.Address != before.Address || after.State != provider.Running {
		t.Errorf("made anew as %+v, was %+v", after, before)
	}
	if after.BootID == before.BootID {
		t.Error("the boot id did not change")
	}
	if got := list(t, h.Provider); len(got) != 2 || got["i-a"] != after {
		t.Errorf("listed %+v", got)
	}
}

func destroyTwice(t *testing.T, h Host) {
	h.cluster(t)
	create(t, h.Provider, h.spec("i-a"))
	for range 2 {
		destroy(t, h.Provider, "i-a")
	}
	destroy(t, h.Provider, "i-never-was")
	if got := list(t, h.Provider); len(got) != 0 {
		t.Errorf("left %+v", got)
	}
}

func deleteClusterTwice(t *testing.T, h Host) {
	h.cluster(t)
	for _, id := range []string{clusterID, clusterID, "ehpc-never-was"} {
		if err := h.Provider.DeleteCluster(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if got := clusters(t, h.Provider); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

func deleteClusterWithMachines(t *testing.T, h Host) {
	h.cluster(t)
	create(t, h.Provider, h.spec("i-a"))
	create(t, h.Provider, h.spec("i-b"))
	if err := h.Provider.DeleteCluster(t.Context(), clusterID); err != nil {
		t.Fatal(err)
	}
	if got := list(t, h.Provider); len(got) != 0 {
		t.Errorf("left %+v", got)
	}
	if got := clusters(t, h.Provider); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

func refusesTooBig(t *testing.T, h Host) {
	h.cluster(t)
	if err := h.Provider.Fits(t.Context(), []hpc.InstanceType{h.Type, h.Type, h.Type, h.Type}); err != nil {
		t.Errorf("four small ones do not fit: %v", err)
	}
	if err := h.Provider.Fits(t.Context(), []hpc.InstanceType{h.Type, h.TooBig}); !errors.Is(err, provider.ErrNoCapacity) {
		t.Errorf("asking about a big one answered %v, want ErrNoCapacity", err)
	}
	spec := h.spec("i-a")
	spec.Type = h.TooBig
	if _, err := h.Provider.Create(t.Context(), spec); !errors.Is(err, provider.ErrNoCapacity) {
		t.Errorf("creating a big one answered %v, want ErrNoCapacity", err)
	}
	if got := list(t, h.Provider); len(got) != 0 {
		t.Errorf("left %+v", got)
	}
}

func restartKeeps(t *testing.T, h Host) {
	h.cluster(t)
	m := create(t, h.Provider, h.spec("i-a"))
	p := h.Restart(t)
	if got := list(t, p); len(got) != 1 || got["i-a"] != m {
		t.Errorf("listed %+v, want %+v", got, m)
	}
	if got := create(t, p, h.spec("i-a")); got != m {
		t.Errorf("creating it again answered %+v, want %+v", got, m)
	}
}

func isolated(t *testing.T, h Host) {
	if h.Reaches == nil {
		return // nothing to reach: machines have no network here
	}
	h.cluster(t)
	if err := h.Provider.CreateCluster(t.Context(), otherClusterID); err != nil {
		t.Fatal(err)
	}
	a, b := create(t, h.Provider, h.spec("i-a")), create(t, h.Provider, h.spec("i-b"))
	foreign := h.spec("i-c")
	foreign.ClusterID = otherClusterID
	c := create(t, h.Provider, foreign)
	if !h.Reaches(t, a.ID, b.Address) || !h.Reaches(t, b.ID, a.Address) {
		t.Error("machines of one cluster do not reach each other")
	}
	if h.Reaches(t, a.ID, c.Address) || h.Reaches(t, c.ID, a.Address) {
		t.Error("machines of two clusters reach each other")
	}
}
