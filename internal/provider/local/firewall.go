package local

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"
)

func (p *Provider) table() string { return "ehpc_" + p.instance }

func (p *Provider) updateFirewall(ctx context.Context) error {
	p.network.Lock()
	defer p.network.Unlock()
	return p.applyFirewall(ctx)
}

// applyFirewall makes the kernel's table match the clusters that are there, in
// one transaction. It needs p.network.
func (p *Provider) applyFirewall(ctx context.Context) error {
	nets, err := p.nets()
	if err != nil {
		return err
	}
	var bridges []string
	for _, n := range nets {
		bridges = append(bridges, n.Bridge)
	}
	if _, err := nft(ctx, ruleset(p.table(), bridges), "-f", "-"); err != nil {
		return fmt.Errorf("cannot set the firewall: %w", err)
	}
	return nil
}

// guardFirewall puts our table back if somebody removed it, as a restart of the
// host's own firewall service does.
func (p *Provider) guardFirewall(ctx context.Context) error {
	p.network.Lock()
	defer p.network.Unlock()
	nets, err := p.nets()
	if err != nil || len(nets) == 0 {
		return err
	}
	if _, err := nft(ctx, "", "list", "table", "inet", p.table()); err == nil {
		return nil
	}
	p.log.Warn("firewall table was removed by somebody else, putting it back", "table", p.table())
	return p.applyFirewall(ctx)
}

// ruleset replaces our table. Machines speak to machines on their own bridge
// and to nobody else, over IPv4 and IPv6 alike; the host is nobody too, their
// link to it is a unix socket. Without clusters there is no table.
func ruleset(table string, bridges []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "add table inet %s\ndelete table inet %s\n", table, table)
	if len(bridges) == 0 {
		return b.String()
	}
	var names, pairs []string
	for _, br := range bridges {
		names = append(names, fmt.Sprintf("%q", br))
		pairs = append(pairs, fmt.Sprintf("%q . %q", br, br))
	}
	fmt.Fprintf(&b, `table inet %s {
	set bridges { type ifname; elements = { %s }; }
	set within { type ifname . ifname; elements = { %s }; }
	chain input {
		type filter hook input priority -10; policy accept;
		iifname @bridges drop
	}
	chain forward {
		type filter hook forward priority -10; policy accept;
		iifname . oifname @within accept
		iifname @bridges drop
		oifname @bridges drop
	}
	chain output {
		type filter hook output priority -10; policy accept;
		oifname @bridges drop
	}
}
`, table, strings.Join(names, ", "), strings.Join(pairs, ", "))
	return b.String()
}

func nft(ctx context.Context, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return run(ctx, stdin, "nft", args...)
}

// warnBridgeFilter tells about a host whose other rules cut the traffic inside
// a bridge: an accept of ours does not overrule their drop.
func warnBridgeFilter(ctx context.Context, log *slog.Logger) {
	value, err := os.ReadFile("/proc/sys/net/bridge/bridge-nf-call-iptables")
	if err != nil || strings.TrimSpace(string(value)) != "1" {
		return
	}
	out, err := nft(ctx, "", "-j", "list", "chains")
	if err != nil {
		return
	}
	if table := droppingForward([]byte(out)); table != "" {
		log.Warn("traffic between nodes may be cut by another firewall table", "table", table,
			"remedy", "sysctl -w net.bridge.bridge-nf-call-iptables=0")
	}
}

// droppingForward names a table whose forward chain drops by policy, or "".
func droppingForward(chains []byte) string {
	var list struct {
		Nftables []struct {
			Chain struct{ Family, Table, Hook, Policy string }
		}
	}
	if json.Unmarshal(chains, &list) != nil {
		return ""
	}
	for _, item := range list.Nftables {
		if c := item.Chain; c.Hook == "forward" && c.Policy == "drop" {
			return c.Family + " " + c.Table
		}
	}
	return ""
}
