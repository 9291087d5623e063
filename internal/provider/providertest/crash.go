package providertest

import (
	"slices"
	"testing"

	"ehpc/internal/provider"
)

// crash runs a call that must fail at the point.
func (h Host) crash(t *testing.T, point string, call func() error) {
	t.Helper()
	h.CrashAt(point)
	if err := call(); err == nil {
		t.Fatalf("the call did not reach %q", point)
	}
}

func createClusterCrash(t *testing.T, h Host) {
	for _, point := range h.CreateClusterPoints {
		h.crash(t, point, func() error { return h.Provider.CreateCluster(t.Context(), clusterID) })
		p := h.Restart(t)
		if err := p.CreateCluster(t.Context(), clusterID); err != nil {
			t.Fatalf("after a crash at %q: %v", point, err)
		}
		if got := clusters(t, p); !slices.Equal(got, []string{clusterID}) {
			t.Errorf("after a crash at %q clusters are %v", point, got)
		}
		create(t, p, h.spec("i-a"))
		if err := p.DeleteCluster(t.Context(), clusterID); err != nil {
			t.Fatal(err)
		}
	}
}

func deleteClusterCrash(t *testing.T, h Host) {
	for _, point := range h.DeleteClusterPoints {
		h.cluster(t)
		create(t, h.Provider, h.spec("i-a"))
		h.crash(t, point, func() error { return h.Provider.DeleteCluster(t.Context(), clusterID) })
		p := h.Restart(t)
		if got := clusters(t, p); !slices.Equal(got, []string{clusterID}) {
			t.Errorf("after a crash at %q clusters are %v, nobody would finish", point, got)
		}
		if err := p.DeleteCluster(t.Context(), clusterID); err != nil {
			t.Fatalf("after a crash at %q: %v", point, err)
		}
		if got := clusters(t, p); len(got) != 0 {
			t.Errorf("after a crash at %q %v is left", point, got)
		}
	}
}

func createCrash(t *testing.T, h Host) {
	h.cluster(t)
	for _, point := range h.CreatePoints {
		h.crash(t, point, func() error {
			_, err := h.Provider.Create(t.Context(), h.spec("i-a"))
			return err
		})
		p := h.Restart(t)
		if got := list(t, p)["i-a"]; got.State != provider.Starting {
			t.Errorf("after a crash at %q the machine is %+v, want it starting", point, got)
		}
		m := create(t, p, h.spec("i-a"))
		if got := list(t, p); len(got) != 1 || got["i-a"] != m || m.State != provider.Running {
			t.Errorf("after a crash at %q listed %+v, want %+v", point, got, m)
		}
		destroy(t, p, "i-a")
	}
}

func destroyHalfMade(t *testing.T, h Host) {
	h.cluster(t)
	for _, point := range h.CreatePoints {
		h.crash(t, point, func() error {
			_, err := h.Provider.Create(t.Context(), h.spec("i-a"))
			return err
		})
		p := h.Restart(t)
		destroy(t, p, "i-a")
		if got := list(t, p); len(got) != 0 {
			t.Errorf("after a crash at %q left %+v", point, got)
		}
	}
}

func destroyCrash(t *testing.T, h Host) {
	h.cluster(t)
	for _, point := range h.DestroyPoints {
		create(t, h.Provider, h.spec("i-a"))
		h.crash(t, point, func() error { return h.Provider.Destroy(t.Context(), "i-a") })
		p := h.Restart(t)
		if got, ok := list(t, p)["i-a"]; !ok || got.State == provider.Running {
			t.Errorf("after a crash at %q the machine is %+v, nobody would finish", point, got)
		}
		if point != h.DestroyPoints[0] {
			destroy(t, p, "i-a")
		} else { // wanted again after all
			create(t, p, h.spec("i-a"))
			destroy(t, p, "i-a")
		}
		if got := list(t, p); len(got) != 0 {
			t.Errorf("after a crash at %q left %+v", point, got)
		}
	}
}
