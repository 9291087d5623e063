package local

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

func TestAddressesAreNeverSharedAndComeBackToTheirMachine(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := clusterNet{Subnet: netip.MustParsePrefix("10.250.7.0/24")}
		held := map[string]netip.Addr{}
		for range 600 {
			id := fmt.Sprint("i-", r.IntN(300))
			if r.IntN(3) == 0 {
				n.release(id)
				delete(held, id)
				continue
			}
			addr, err := n.take(id)
			if err != nil {
				if len(held) < 253 {
					t.Fatalf("seed %d: no address with %d held: %v", seed, len(held), err)
				}
				continue
			}
			if before, ok := held[id]; ok && before != addr {
				t.Fatalf("seed %d: %s had %s and got %s", seed, id, before, addr)
			}
			held[id] = addr
			checkLeases(t, n, held)
		}
	}
}

func checkLeases(t *testing.T, n clusterNet, held map[string]netip.Addr) {
	t.Helper()
	owners := map[netip.Addr]string{}
	for id, addr := range held {
		if other, ok := owners[addr]; ok {
			t.Fatalf("%s and %s both hold %s", id, other, addr)
		}
		owners[addr] = id
		if last := addr.As4()[3]; !n.Subnet.Contains(addr) || last < 2 || last == 255 {
			t.Fatalf("%s holds %s", id, addr)
		}
	}
}

func TestAMachineThatComesBackFindsItsAddress(t *testing.T) {
	t.Parallel()
	n := clusterNet{Subnet: netip.MustParsePrefix("10.250.7.0/24")}
	a := mustTake(t, &n, "i-a")
	n.release("i-a")
	b := mustTake(t, &n, "i-b")
	if again := mustTake(t, &n, "i-a"); again != a || b == a {
		t.Errorf("i-a had %s and got %s, i-b got %s", a, again, b)
	}
}

func mustTake(t *testing.T, n *clusterNet, id string) netip.Addr {
	t.Helper()
	addr, err := n.take(id)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func TestNetworksAvoidThoseInUseUntilThePoolIsEmpty(t *testing.T) {
	t.Parallel()
	pool := netip.MustParsePrefix("10.240.0.0/22")
	inUse := []netip.Prefix{netip.MustParsePrefix("10.240.1.128/25"), netip.MustParsePrefix("192.0.2.0/24")}
	for range 3 {
		subnet, err := freeSubnet(pool, "some cluster", inUse)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range inUse {
			if subnet.Overlaps(other) || !pool.Overlaps(subnet) || subnet.Bits() != 24 {
				t.Errorf("chose %s beside %s", subnet, other)
			}
		}
		inUse = append(inUse, subnet)
	}
	if subnet, err := freeSubnet(pool, "some cluster", inUse); err == nil {
		t.Errorf("chose %s from a full pool", subnet)
	}
	for _, bad := range []string{"10.0.0.0/25", "fd00::/64"} {
		if _, err := freeSubnet(netip.MustParsePrefix(bad), "x", nil); err == nil {
			t.Errorf("chose from %s", bad)
		}
	}
}
