package local_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ehpc/internal/hpc"
	"ehpc/internal/provider"
	"ehpc/internal/provider/local"
	"ehpc/internal/provider/providertest"
)

func TestProvider(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(t testing.TB) providertest.Host {
		dir := t.TempDir()
		p := newProvider(t, dir)
		t.Cleanup(func() { removeAllClusters(t, p) })
		var crashing atomic.Pointer[string]
		p.CrashAt(func(point string) bool {
			want := crashing.Load()
			return want != nil && *want == point && crashing.CompareAndSwap(want, nil)
		})
		return providertest.Host{
			Provider: p, Image: imageID, Type: smallType,
			TooBig: hpc.InstanceType{Name: "ecs.test.big", Cores: 100_000, MemoryMB: 512},
			Kill:   func(t testing.TB, id string) { killInit(t, p, id) },
			Restart: func(t testing.TB) provider.Provider {
				again, err := openProvider(dir)
				if err != nil {
					t.Fatal(err)
				}
				return again
			},
			CreateClusterPoints: []string{"cluster recorded", "volume made", "firewall made"},
			DeleteClusterPoints: []string{"init stopped", "volume removed", "bridge removed", "firewall removed"},
			CreatePoints: []string{"machine recorded", "bundle written", "cgroup made", "container created",
				"network connected", "container started"},
			DestroyPoints: []string{"init stopped", "container deleted", "cgroup removed", "disk removed", "address released"},
			CrashAt:       func(point string) { crashing.Store(&point) },
			Reaches:       func(t testing.TB, from, address string) bool { return connects(t, p, from, address, listenPort) },
		}
	})
}

// killInit ends a machine's first process from outside.
func killInit(t testing.TB, p *local.Provider, id string) {
	t.Helper()
	if err := unix.Kill(initPID(t, p, id), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func initPID(t testing.TB, p *local.Provider, id string) int {
	t.Helper()
	out, err := exec.CommandContext(context.Background(), "runc", "--root", p.RuncRoot(), "state", id).Output()
	if err != nil {
		t.Fatal(err)
	}
	var state struct{ PID int }
	if err := json.Unmarshal(out, &state); err != nil {
		t.Fatal(err)
	}
	return state.PID
}

const listenPort = 22

// connects tells whether a connection from a machine to a port is accepted or
// refused there: either way a packet got through. It is given two seconds.
func connects(t testing.TB, p *local.Provider, from, address string, port int) bool {
	t.Helper()
	out, err := inNode(t, p, from, "timeout 2 bash -c 'echo > /dev/tcp/"+address+"/"+strconv.Itoa(port)+"' 2>&1; echo status $?")
	if err != nil {
		t.Fatalf("cannot try the network: %v: %s", err, out)
	}
	return reached(out)
}

// The machines' disks are removed whole, links out of them are not followed.
func TestRemovingAVolumeFollowsNoLinks(t *testing.T) {
	t.Parallel()
	p := newProvider(t, t.TempDir())
	t.Cleanup(func() { removeAllClusters(t, p) })
	outside := filepath.Join(t.TempDir(), "precious")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "file"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	startMachine(t, p, "ehpc-hz-one", "i-a")
	out, err := inNode(t, p, "i-a", "ln -s "+outside+" /home/way-out && ln -s "+outside+" /way-out && mkdir -p /opt/deep/er && ln -s / /opt/deep/er/root && ls -la /home")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := p.DeleteCluster(t.Context(), "ehpc-hz-one"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(outside, "file")); err != nil || string(text) != "kept" {
		t.Errorf("outside the volume: %q, %v", text, err)
	}
}

// startMachine makes a cluster and a machine in it.
func startMachine(t testing.TB, p *local.Provider, clusterID, id string) provider.Machine {
	t.Helper()
	if err := p.CreateCluster(t.Context(), clusterID); err != nil {
		t.Fatal(err)
	}
	m, err := p.Create(t.Context(), provider.Spec{ID: id, ClusterID: clusterID, Hostname: "node-" + id[2:], Type: smallType, Image: imageID})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAHostThatLostItsNetworkGetsItBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newProvider(t, dir)
	t.Cleanup(func() { removeAllClusters(t, p) })
	before := startMachine(t, p, "ehpc-hz-one", "i-a")
	killInit(t, p, "i-a")
	bridge, _ := p.Links("ehpc-hz-one", "i-a")
	for _, command := range [][]string{{"ip", "link", "delete", bridge}, {"nft", "delete", "table", "inet", "ehpc_" + p.Instance()}} {
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if m := startMachine(t, p, "ehpc-hz-one", "i-a"); m.Address != before.Address {
		t.Errorf("it came back at %s, was at %s", m.Address, before.Address)
	}
	if found := traces(t, p, dir); !found["bridge"] || !found["firewall table"] {
		t.Errorf("there is only %v", found)
	}
}

func TestAFirewallThatWasFlushedIsBackWithTheNextMachine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newProvider(t, dir)
	t.Cleanup(func() { removeAllClusters(t, p) })
	startMachine(t, p, "ehpc-hz-one", "i-a")
	if out, err := exec.CommandContext(t.Context(), "nft", "delete", "table", "inet", "ehpc_"+p.Instance()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	startMachine(t, p, "ehpc-hz-one", "i-b")
	if found := traces(t, p, dir); !found["firewall table"] {
		t.Errorf("there is only %v", found)
	}
}

// Ids come from rows of the control plane; none may name another path.
func TestIDsThatArePathsAreRefused(t *testing.T) {
	t.Parallel()
	p := newProvider(t, t.TempDir())
	for _, id := range []string{"", ".", "..", "../x", "a/b", "a b", "-x", "a\x00b"} {
		if err := p.CreateCluster(t.Context(), id); err == nil {
			t.Errorf("cluster %q was created", id)
		}
		if err := p.DeleteCluster(t.Context(), id); err == nil {
			t.Errorf("cluster %q was deleted", id)
		}
		if err := p.Destroy(t.Context(), id); err == nil {
			t.Errorf("machine %q was destroyed", id)
		}
		if _, err := p.Create(t.Context(), provider.Spec{ID: id, ClusterID: "c", Hostname: "h", Type: smallType, Image: imageID}); err == nil {
			t.Errorf("machine %q was created", id)
		}
	}
}

// The runtime, killed between two of its own steps, left this behind and would
// not start again.
func TestWhatAKilledRuntimeLeftIsNotInTheWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := newProvider(t, dir)
	t.Cleanup(func() { removeAllClusters(t, p) })
	if err := p.CreateCluster(t.Context(), "ehpc-hz-one"); err != nil {
		t.Fatal(err)
	}
	p.CrashAt(func(point string) bool { return point == "cgroup made" })
	if _, err := p.Create(t.Context(), churnSpec); err == nil {
		t.Fatal("it did not stop half way")
	}
	p.CrashAt(nil)
	if err := os.WriteFile(filepath.Join(dir, "machines", "i-a", ".pid"), []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	startMachine(t, p, "ehpc-hz-one", "i-a")
}
