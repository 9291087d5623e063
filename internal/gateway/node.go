package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"

	"ehpc/internal/hpc"
	"ehpc/internal/sshca"
	"ehpc/internal/store"
)

// dialLimit is how long the way to a node's shell may take: a busy node is waited
// for, while the guest's certificate is good and there is time to tell the guest.
const dialLimit = 45 * time.Second

// errNoLogin: people cannot be let in now.
var errNoLogin = errors.New("no login node of the cluster is in service now; try again")

// errElsewhere: the nodes are beside another server.
var errElsewhere = errors.New("the cluster is on another server's machine; log in there")

// loginNode is the first of the cluster's login nodes that can be reached.
func (g *Gateway) loginNode(ctx context.Context, clusterID string) (*store.Node, error) {
	nodes, err := g.Store.Read().Nodes(ctx, clusterID)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if n.HasRole(hpc.RoleLogin) && n.Status == hpc.NodeRunning && g.Nodes.Present(n.ID) {
			return n, nil
		}
	}
	return nil, g.noLogin(ctx, clusterID)
}

// noLogin says why nobody is let in.
func (g *Gateway) noLogin(ctx context.Context, clusterID string) error {
	if g.Holder == nil {
		return errNoLogin
	}
	here, lease, err := g.Holder(ctx, clusterID)
	switch {
	case err != nil:
		return err
	case here || lease == nil:
		return errNoLogin
	case lease.Endpoint == "":
		return errElsewhere
	}
	return fmt.Errorf("%w (its API is at %s)", errElsewhere, lease.Endpoint)
}

// admit connects to a login node as the account and notes the login in the
// cluster's log. What was proven may have been taken back since: it is read again.
func (g *Gateway) admit(ctx context.Context, p *ssh.Permissions, source string) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	clusterID, name := p.Extensions[provenCluster], p.Extensions[provenName]
	w, err := g.find(ctx, name+"@"+clusterID)
	if err != nil {
		return nil, err
	}
	if w.cluster == nil || w.hash == "" && w.key == "" {
		return nil, errRefused
	}
	node, err := g.loginNode(ctx, clusterID)
	if err != nil {
		return nil, err
	}
	if name != hpc.RootName {
		if err := g.Nodes.Node(node.ID).Knows(ctx, hpc.AccountID{Name: name, UID: w.uid}); err != nil {
			return nil, fmt.Errorf("cannot tell whether %s knows %s: %w", node.Hostname, name, err)
		}
	}
	now := time.Now()
	signer, err := g.Authority.User(clusterID, name, name+" from "+source, now)
	if err != nil {
		return nil, err
	}
	client, err := g.connect(ctx, clusterID, node, name, signer)
	if err != nil {
		return nil, err
	}
	err = g.Store.Change(ctx, func(ctx context.Context, tx store.Tx) error {
		line := fmt.Sprintf("%s logged in on %s from %s with a %s", name, node.Hostname, source, p.Extensions[provenMethod])
		return tx.Log(ctx, clusterID, "Login", store.Info, line, now)
	})
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return client, nil
}

func (g *Gateway) connect(ctx context.Context, clusterID string, node *store.Node, name string, signer ssh.Signer) (*ssh.Client, error) {
	conn, err := g.Nodes.DialSSH(ctx, node.ID)
	if err != nil {
		return nil, fmt.Errorf("cannot reach %s: %w", node.Hostname, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // a node that says nothing
	inner, channels, requests, err := ssh.NewClientConn(conn, sshca.Address(node.ID), &ssh.ClientConfig{
		User: name, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   g.Authority.CheckHost(clusterID),
		HostKeyAlgorithms: []string{ssh.CertAlgoED25519v01},
	})
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s does not let %s in: %w", node.Hostname, name, err)
	}
	return ssh.NewClient(inner, channels, requests), nil
}
