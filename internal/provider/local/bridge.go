package local

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// linkName is the name of a network interface of ours: 12 of the 15 characters
// that the kernel allows.
func (p *Provider) linkName(kind, id string) string {
	sum := sha256.Sum256([]byte(p.instance + "/" + id))
	return kind + hex.EncodeToString(sum[:5])
}

// ensureBridge makes a cluster's bridge. The host has no address on it and
// answers nothing there.
func ensureBridge(name string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("cannot make bridge %s: %w", name, err)
	}
	if err := silence(name); err != nil {
		return err
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("cannot find bridge %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("cannot bring bridge %s up: %w", name, err)
	}
	return nil
}

// silence keeps the host's own network stack off an interface.
func silence(link string) error {
	for name, value := range map[string]string{
		"ipv6/conf/" + link + "/disable_ipv6": "1",
		"ipv4/conf/" + link + "/arp_ignore":   "8",
	} {
		err := os.WriteFile(filepath.Join("/proc/sys/net", name), []byte(value), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6 has no such file
			return fmt.Errorf("cannot close interface %s to the host: %w", link, err)
		}
	}
	return nil
}

// connect joins the network namespace of a process to the bridge.
func connect(pid int, hostEnd, bridge string, address netip.Prefix) error {
	br, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("cannot find bridge %s: %w", bridge, err)
	}
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("cannot open the network of process %d: %w", pid, err)
	}
	defer ns.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = hostEnd
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerHardwareAddr: hardwareAddr(address.Addr()), PeerNamespace: netlink.NsFd(ns)}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("cannot make interface %s: %w", hostEnd, err)
	}
	if err := silence(hostEnd); err != nil {
		return err
	}
	if err := netlink.LinkSetMaster(veth, br); err != nil {
		return fmt.Errorf("cannot join %s to bridge %s: %w", hostEnd, bridge, err)
	}
	if err := netlink.LinkSetUp(veth); err != nil {
		return fmt.Errorf("cannot bring %s up: %w", hostEnd, err)
	}
	return configure(ns, address)
}

// configure gives the inside of a machine its address.
func configure(ns netns.NsHandle, address netip.Prefix) error {
	inside, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("cannot enter the machine's network: %w", err)
	}
	defer inside.Close()
	for _, name := range []string{"lo", "eth0"} {
		link, err := inside.LinkByName(name)
		if err != nil {
			return fmt.Errorf("cannot find %s in the machine: %w", name, err)
		}
		if name == "eth0" {
			ip := &net.IPNet{IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), 32)}
			if err := inside.AddrAdd(link, &netlink.Addr{IPNet: ip}); err != nil {
				return fmt.Errorf("cannot give the machine its address: %w", err)
			}
		}
		if err := inside.LinkSetUp(link); err != nil {
			return fmt.Errorf("cannot bring %s up in the machine: %w", name, err)
		}
	}
	return nil
}

// hardwareAddr depends on the address alone: a machine made anew is reached at
// once, while its neighbours still remember the old one.
func hardwareAddr(addr netip.Addr) net.HardwareAddr {
	b := addr.As4()
	return net.HardwareAddr{0x02, 0xe4, b[0], b[1], b[2], b[3]}
}

// removeLink removes an interface and with it its other end.
func removeLink(name string) error {
	link, err := netlink.LinkByName(name)
	if missing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot find interface %s: %w", name, err)
	}
	if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("cannot remove interface %s: %w", name, err)
	}
	return nil
}

func linkExists(name string) bool {
	_, err := netlink.LinkByName(name)
	return err == nil
}

func missing(err error) bool {
	var notFound netlink.LinkNotFoundError
	return errors.As(err, &notFound) || errors.Is(err, unix.ENODEV)
}

// hostNetworks are the IPv4 networks that the host has routes to.
func hostNetworks() ([]netip.Prefix, error) {
	routes, err := netlink.RouteList(nil, unix.AF_INET)
	if err != nil {
		return nil, fmt.Errorf("cannot list the host's routes: %w", err)
	}
	var nets []netip.Prefix
	for _, r := range routes {
		if r.Dst == nil {
			continue
		}
		addr, ok := netip.AddrFromSlice(r.Dst.IP.To4())
		bits, _ := r.Dst.Mask.Size()
		if ok && bits > 0 { // the default route is no network
			nets = append(nets, netip.PrefixFrom(addr, bits))
		}
	}
	return nets, nil
}
