package link

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// One thing that is no question and answer goes over the link: a TCP stream to
// the node's own ssh server.
const (
	sshPath     = "/ssh"
	sshProtocol = "ehpc-ssh"
	// sshLimit is how many such streams a node carries: calls always have room.
	sshLimit   = streamLimit / 2
	sshOpening = time.Minute // callers' limits are nearer
)

// SSHHandler is a node's side of DialSSH, at the prefix "/ssh": it joins the
// stream to the connection that dial makes.
func SSHHandler(dial func(context.Context) (net.Conn, error)) (prefix string, handler http.Handler) {
	free := make(chan struct{}, sshLimit)
	return sshPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != sshProtocol {
			http.Error(w, "only "+sshProtocol+" is spoken here", http.StatusUpgradeRequired)
			return
		}
		select {
		case free <- struct{}{}:
			defer func() { <-free }()
		default:
			http.Error(w, fmt.Sprintf("the node has %d such connections already", sshLimit), http.StatusServiceUnavailable)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), sshOpening)
		defer cancel()
		inner, err := dial(ctx)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer inner.Close()
		outer, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer outer.Close()
		if _, err := io.WriteString(outer, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+sshProtocol+"\r\n\r\n"); err != nil {
			return
		}
		join(&readAhead{outer, buffered.Reader}, inner)
	})
}

// join copies in both directions until one of the two ends.
func join(a, b net.Conn) {
	done := make(chan struct{})
	go func() {
		io.Copy(a, b)
		a.Close()
		b.Close()
		close(done)
	}()
	io.Copy(b, a)
	a.Close()
	b.Close()
	<-done
}

// readAhead is a connection of which something was read already.
type readAhead struct {
	net.Conn
	from *bufio.Reader
}

func (c *readAhead) Read(p []byte) (int, error) { return c.from.Read(p) }

// DialSSH connects to the node's ssh server. It fails with ErrAbsent while its
// agent is not connected.
func (h *Hub) DialSSH(ctx context.Context, nodeID string) (net.Conn, error) {
	session := h.session(nodeID)
	if session == nil {
		return nil, ErrAbsent
	}
	ctx, cancel := context.WithTimeout(ctx, sshOpening)
	defer cancel()
	conn, err := openStream(ctx, session)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the node: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	joined, err := upgrade(conn)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("cannot reach the node's ssh server: %w", err)
	}
	return joined, nil
}

func upgrade(conn net.Conn) (net.Conn, error) {
	req, err := http.NewRequest(http.MethodGet, "http://node"+sshPath, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", sshProtocol)
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	from := bufio.NewReader(conn)
	resp, err := http.ReadResponse(from, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		reason, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // the status says enough without
		resp.Body.Close()
		return nil, fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(reason)))
	}
	return &readAhead{conn, from}, nil
}
