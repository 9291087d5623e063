package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"ehpc/internal/link"
	"ehpc/internal/scheduler"
)

// links reaches the nodes' agents through the hub. A node's socket stands in a
// directory of its own, which its machine sees.
type links struct {
	hub *link.Hub
	dir string
}

// nodeDir makes and returns the directory of a node's socket.
func (l links) nodeDir(nodeID string) (string, error) {
	dir := filepath.Join(l.dir, nodeID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make the directory of a node's link: %w", err)
	}
	return dir, nil
}

func (l links) Listen(nodeID string) error {
	return l.hub.Listen(nodeID, filepath.Join(l.dir, nodeID))
}

func (l links) Forget(nodeID string) {
	l.hub.Forget(nodeID)
	os.RemoveAll(filepath.Join(l.dir, nodeID))
}

func (l links) Present(nodeID string) bool {
	_, there := l.hub.Present(nodeID)
	return there
}

func (l links) Node(nodeID string) link.Node { return l.hub.Node(nodeID) }

func (l links) Scheduler(nodeID string) scheduler.Scheduler {
	return scheduler.NewRemote(l.hub.HTTP(nodeID))
}

func (l links) DialSSH(ctx context.Context, nodeID string) (net.Conn, error) {
	return l.hub.DialSSH(ctx, nodeID)
}
