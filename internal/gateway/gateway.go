// Package gateway is the service's ssh server: people reach their cluster's login
// nodes through it. It checks who they are, then speaks to the node's own ssh
// server with a certificate that is good for a minute, and passes on what goes
// over sessions. Nothing else goes through it, and it runs nothing itself.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"ehpc/internal/auth"
	"ehpc/internal/link"
	"ehpc/internal/sshca"
	"ehpc/internal/store"
)

// Nodes reaches the nodes.
type Nodes interface {
	Present(nodeID string) bool
	Node(nodeID string) link.Node
	// DialSSH connects to the node's ssh server.
	DialSSH(ctx context.Context, nodeID string) (net.Conn, error)
}

// Options are what a gateway works with.
type Options struct {
	Store     *store.Store
	Passwords *auth.Passwords
	Authority *sshca.Authority
	Nodes     Nodes
	// Holder tells whether this server runs a cluster, and otherwise whose lease it
	// is under; nil on a store that is this server's alone.
	Holder func(ctx context.Context, clusterID string) (here bool, lease *store.Lease, err error)
	Log    *slog.Logger
}

// Limits of what comes from outside.
const (
	maxConns      = 512 // that have logged in, and of these
	maxOfCluster  = 128 // to one cluster, and of these
	maxOfAccount  = 10  // as one account: a node carries few streams
	maxStrangers  = 64  // that have not, and of these
	maxFromSource = 10  // from one address
	strangerTime  = time.Minute
	maxTries      = 6  // to log in, in one connection
	maxSessions   = 10 // in one connection
)

// Gateway lets people in.
type Gateway struct {
	Options
	key ssh.Signer

	mu        sync.Mutex
	strangers map[string]int // by source
	waiting   int            // strangers in all
	all       int            // guests
	guests    map[string]int // by cluster, and by cluster and account
	conns     sync.WaitGroup
	failures  failures
}

// New makes a gateway; Serve runs it.
func New(o Options) *Gateway {
	return &Gateway{Options: o, key: o.Authority.GatewayKey(), strangers: map[string]int{}, guests: map[string]int{}}
}

// HostKey is the gateway's own public key, as in authorized_keys.
func (g *Gateway) HostKey() string { return string(ssh.MarshalAuthorizedKey(g.key.PublicKey())) }

// Serve lets people in until ctx ends, and waits for the connections, which it
// closes then.
func (g *Gateway) Serve(ctx context.Context, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	defer g.conns.Wait()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			g.Log.Warn("cannot accept an ssh connection", "err", err)
			time.Sleep(100 * time.Millisecond) // out of file descriptors: do not spin
			continue
		}
		source := sourceOf(conn)
		if !g.meet(source) {
			conn.Close()
			continue
		}
		g.conns.Go(func() { g.serve(ctx, conn, source) })
	}
}

func sourceOf(conn net.Conn) string {
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return conn.RemoteAddr().String()
	}
	return host
}

// network is what of an address one may have, for what is counted by source:
// with IPv6 anybody has 2^64 addresses.
func network(source string) string {
	addr, err := netip.ParseAddr(source)
	if err != nil {
		return source
	}
	if addr = addr.Unmap(); addr.Is4() {
		return addr.String()
	}
	return netip.PrefixFrom(addr.WithZone(""), 64).Masked().String()
}

// meet takes one more stranger, if there is room for one.
func (g *Gateway) meet(source string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	source = network(source)
	if g.waiting >= maxStrangers || g.strangers[source] >= maxFromSource || g.all >= maxConns {
		return false
	}
	g.waiting++
	g.strangers[source]++
	return true
}

// known says that a stranger has become a guest, or has gone.
func (g *Gateway) known(source string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	source = network(source)
	g.waiting--
	if g.strangers[source]--; g.strangers[source] == 0 {
		delete(g.strangers, source)
	}
}

// seat gives a guest a place, if its account and its cluster have not too many.
func (g *Gateway) seat(cluster, account string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	who := cluster + "/" + account
	if g.all >= maxConns || g.guests[cluster] >= maxOfCluster || g.guests[who] >= maxOfAccount {
		return false
	}
	g.all++
	g.guests[cluster]++
	g.guests[who]++
	return true
}

func (g *Gateway) leave(cluster, account string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	for _, of := range []string{cluster, cluster + "/" + account} {
		if g.guests[of]--; g.guests[of] == 0 {
			delete(g.guests, of)
		}
	}
}

// serve is one connection's whole life.
func (g *Gateway) serve(ctx context.Context, conn net.Conn, source string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	conn.SetDeadline(time.Now().Add(strangerTime))
	door := &door{g: g, source: source}
	meeting, enough := context.WithTimeout(ctx, strangerTime)
	client, channels, requests, err := ssh.NewServerConn(conn, door.config(meeting))
	enough()
	g.known(source)
	if err != nil {
		g.Log.Debug("ssh connection without a login", "source", source, "err", err)
		return
	}
	g.failures.add(source, -door.failed, time.Now()) // those were its keys, or mistyped
	conn.SetDeadline(time.Now().Add(strangerTime))   // whoever is not let in hears why, and goes
	go ssh.DiscardRequests(requests)
	cluster, account := client.Permissions.Extensions[provenCluster], client.Permissions.Extensions[provenName]
	if !g.seat(cluster, account) {
		g.Log.Info("too many connections", "cluster", cluster, "account", account, "source", source)
		turnAway(channels, "too many connections of this account, or of its cluster")
		return
	}
	defer g.leave(cluster, account)
	g.host(ctx, client, channels, source, func() { conn.SetDeadline(time.Time{}) })
}
