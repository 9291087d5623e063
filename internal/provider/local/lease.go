package local

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
)

// clusterNet is a cluster's file: its network and who has which address.
type clusterNet struct {
	Subnet netip.Prefix `json:"subnet"`
	Bridge string       `json:"bridge"`
	Leases []lease      `json:"leases"` // oldest release first among the released
}

// lease binds an address to a machine's id. A released one is kept until its
// address is needed: a machine that comes back finds its own again.
type lease struct {
	ID       string     `json:"id"`
	Address  netip.Addr `json:"address"`
	Released bool       `json:"released"`
}

// take returns the machine's address: its own from before, else one that nobody
// had, else the one released longest ago.
func (n *clusterNet) take(id string) (netip.Addr, error) {
	taken := map[netip.Addr]bool{}
	for i, l := range n.Leases {
		if l.ID == id {
			n.Leases[i].Released = false
			return l.Address, nil
		}
		taken[l.Address] = true
	}
	first := n.Subnet.Addr().Next().Next() // .0 is the network, .1 is kept for a gateway
	for addr := first; last(n.Subnet) != addr && n.Subnet.Contains(addr); addr = addr.Next() {
		if !taken[addr] {
			n.Leases = append(n.Leases, lease{ID: id, Address: addr})
			return addr, nil
		}
	}
	for i, l := range n.Leases {
		if l.Released {
			n.Leases = append(slices.Delete(n.Leases, i, i+1), lease{ID: id, Address: l.Address})
			return l.Address, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("network %s has no free address", n.Subnet)
}

// release gives the machine's address back.
func (n *clusterNet) release(id string) {
	i := slices.IndexFunc(n.Leases, func(l lease) bool { return l.ID == id })
	if i < 0 {
		return
	}
	l := n.Leases[i]
	l.Released = true
	n.Leases = append(slices.Delete(n.Leases, i, i+1), l)
}

// last is a prefix's broadcast address.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(b)
}

// freeSubnet chooses a /24 of the pool that overlaps none of those in use. It
// begins at a place that depends on the name, so that several data directories
// on a host rarely choose the same.
func freeSubnet(pool netip.Prefix, name string, inUse []netip.Prefix) (netip.Prefix, error) {
	if !pool.Addr().Is4() || pool.Bits() > 24 {
		return netip.Prefix{}, fmt.Errorf("network pool %s must be an IPv4 prefix of /24 or wider", pool)
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	count := uint32(1) << (24 - pool.Bits())
	for i := range count {
		subnet := nth24(pool, (h.Sum32()+i)%count)
		if !slices.ContainsFunc(inUse, subnet.Overlaps) {
			return subnet, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("network pool %s has no free /24", pool)
}

func nth24(pool netip.Prefix, n uint32) netip.Prefix {
	b := pool.Masked().Addr().As4()
	v := uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) + n
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(v >> 16), byte(v >> 8), byte(v), 0}), 24)
}
