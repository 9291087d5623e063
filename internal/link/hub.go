package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// Hub is the server's end of all links: it listens for agents and knows which
// nodes are connected.
type Hub struct {
	log     *slog.Logger
	changed func(nodeID string)

	mu     sync.Mutex
	closed bool
	nodes  map[string]*node
	wg     sync.WaitGroup
}

// node is one node's socket and, while its agent is there, its session.
type node struct {
	id       string
	dir      string
	listener net.Listener
	session  *yamux.Session
	since    time.Time
	connects pace
	changes  pace
}

// NewHub makes a hub. changed is called, without blocking for long, when a
// node's presence or something on the node changed.
func NewHub(log *slog.Logger, changed func(nodeID string)) *Hub {
	return &Hub{log: log, changed: changed, nodes: map[string]*node{}}
}

// Listen lets the node's agent connect through dir/agent.sock. Repeating it
// changes nothing; another directory moves the node there.
func (h *Hub) Listen(nodeID, dir string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return fmt.Errorf("cannot listen for node %s: %w", nodeID, net.ErrClosed)
	}
	if n := h.nodes[nodeID]; n != nil {
		if n.dir == dir {
			return nil
		}
		h.drop(n)
	}
	listener, err := listenUnix(dir)
	if err != nil {
		return fmt.Errorf("cannot listen for node %s: %w", nodeID, err)
	}
	n := &node{id: nodeID, dir: dir, listener: listener}
	h.nodes[nodeID] = n
	h.wg.Go(func() { h.accept(n) })
	return nil
}

// accept takes the node's connections until its listener is closed.
func (h *Hub) accept(n *node) {
	for {
		conn, err := n.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			h.log.Warn("cannot accept an agent", "node", n.id, "err", err)
			time.Sleep(100 * time.Millisecond) // out of file descriptors: do not spin
			continue
		}
		n.connects.wait(context.Background())
		session, err := yamux.Server(conn, muxConfig())
		if err != nil {
			conn.Close()
			continue
		}
		h.wg.Go(func() { h.run(n, session) })
	}
}

// run makes the session the node's present one and serves it to its end.
func (h *Hub) run(n *node, session *yamux.Session) {
	defer session.Close()
	h.mu.Lock()
	if h.nodes[n.id] != n {
		h.mu.Unlock()
		return
	}
	if n.session != nil {
		n.session.Close()
	}
	n.session, n.since = session, time.Now()
	h.mu.Unlock()
	h.log.Info("agent connected", "node", n.id)
	h.changed(n.id)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /changed", func(w http.ResponseWriter, r *http.Request) {
		if n.changes.wait(r.Context()) != nil {
			return // the agent is gone
		}
		h.changed(n.id)
		w.WriteHeader(http.StatusNoContent)
	})
	serveHTTP(session, mux)

	h.mu.Lock()
	current := n.session == session
	if current {
		n.session = nil
	}
	h.mu.Unlock()
	if current {
		h.log.Info("agent gone", "node", n.id)
		h.changed(n.id)
	}
}

// drop ends what stands for the node; h.mu is held.
func (h *Hub) drop(n *node) {
	delete(h.nodes, n.id)
	n.listener.Close()
	if n.session != nil {
		n.session.Close()
	}
}

// Forget closes the node's socket and connection. Unknown nodes are no error.
func (h *Hub) Forget(nodeID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[nodeID]; n != nil {
		h.drop(n)
	}
}

// Present tells whether the node's agent is connected, and since when.
func (h *Hub) Present(nodeID string) (since time.Time, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[nodeID]; n != nil && n.session != nil {
		return n.since, true
	}
	return time.Time{}, false
}

// Node is the node's agent, connected or not: calls to one that is not fail
// with ErrAbsent.
func (h *Hub) Node(nodeID string) Node { return NewClient(h.HTTP(nodeID)) }

// HTTP speaks to the node's agent, under http://node/.
func (h *Hub) HTTP(nodeID string) *http.Client {
	return newHTTPClient(transport(func() *yamux.Session { return h.session(nodeID) }))
}

// session is the node's present session, nil for none.
func (h *Hub) session(nodeID string) *yamux.Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[nodeID]; n != nil {
		return n.session
	}
	return nil
}

// Close ends all links and waits for them. The agents dial again.
func (h *Hub) Close() error {
	h.mu.Lock()
	h.closed = true
	for _, n := range h.nodes {
		h.drop(n)
	}
	h.mu.Unlock()
	h.wg.Wait()
	return nil
}
