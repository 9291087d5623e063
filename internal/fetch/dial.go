package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// dial connects to an address of the host that may be spoken to. It is called
// for every connection, after every redirect too, and the address that was
// checked is the address that is dialled: no second lookup can put another there.
func (f *Fetcher) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	addrs, err := f.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, addr := range addrs {
		if err := f.check(addr); err != nil {
			failures = append(failures, fmt.Errorf("%s leads to %w", host, err))
			continue
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(addr.String(), port))
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// addressLimit bounds how many addresses of a host are tried.
const addressLimit = 8

func (f *Fetcher) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	addrs, err := f.lookup(ctx, host)
	var unknown *net.DNSError
	if errors.As(err, &unknown) && !unknown.IsTimeout {
		return nil, fmt.Errorf("there is no host %s", host) // the resolver's words name the resolver
	}
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap() // resolvers give IPv4 addresses in either form
	}
	return addrs[:min(len(addrs), addressLimit)], nil
}

// check refuses addresses that are not public and were not allowed.
func (f *Fetcher) check(addr netip.Addr) error {
	contains := func(p netip.Prefix) bool { return p.Contains(addr) }
	if slices.ContainsFunc(f.limits.Allow, contains) {
		return nil
	}
	if !public(addr) {
		return fmt.Errorf("%s, which is not a public address", addr)
	}
	return nil
}

// global is where public IPv6 addresses are taken from: loopback, mapped and
// translated IPv4, unique local, link-local and multicast addresses are outside.
var global = netip.MustParsePrefix("2000::/3")

// special are the ranges that are for other than the public (IANA's registries of
// special-purpose addresses), where they are not covered by global.
var special = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // behind a carrier's translation
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local, metadata services among it
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocols
	"192.0.2.0/24",    // documentation
	"192.31.196.0/24", // AS112
	"192.52.193.0/24", // AMT
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"192.175.48.0/24", // AS112
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/3",     // multicast, reserved, broadcast
	"2001::/23",       // protocols, Teredo among them
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4: any IPv4 address inside
	"2620:4f:8000::/48",
	"3fff::/20", // documentation
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

func public(addr netip.Addr) bool {
	if addr.Zone() != "" || addr.Is6() && !global.Contains(addr) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}
