package link

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// The waits between attempts to reach the server.
const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = 500 * time.Millisecond
)

// Agent is the node's end of the link.
type Agent struct {
	dial    func(context.Context) (net.Conn, error)
	handler http.Handler
	log     *slog.Logger
	http    *http.Client

	mu      sync.Mutex
	session *yamux.Session
}

// NewAgent makes a node's end that reaches the server through dial and answers
// it with handler.
func NewAgent(log *slog.Logger, dial func(context.Context) (net.Conn, error), handler http.Handler) *Agent {
	a := &Agent{dial: dial, handler: handler, log: log}
	a.http = newHTTPClient(transport(a.current))
	return a
}

// Serve keeps the link up until ctx ends: it dials, serves, and dials again.
func (a *Agent) Serve(ctx context.Context) {
	wait := firstRetry
	for ctx.Err() == nil {
		began := time.Now()
		if err := a.serveOnce(ctx); err != nil {
			a.log.Debug("no link", "err", err)
		}
		if time.Since(began) > time.Second {
			wait = firstRetry
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, lastRetry)
	}
}

// serveOnce lives as long as one connection.
func (a *Agent) serveOnce(ctx context.Context) error {
	dialing, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := a.dial(dialing)
	if err != nil {
		return fmt.Errorf("cannot reach the server: %w", err)
	}
	session, err := yamux.Client(conn, muxConfig())
	if err != nil {
		conn.Close()
		return fmt.Errorf("cannot open the link: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { session.Close() })
	defer stop()
	a.set(session)
	defer a.set(nil)
	a.log.Info("link up")
	serveHTTP(session, a.handler)
	session.Close()
	a.log.Info("link down")
	return nil
}

func (a *Agent) set(session *yamux.Session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.session = session
}

func (a *Agent) current() *yamux.Session {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.session
}

// Changed tells the server that something on the node changed. Without a link
// it fails with ErrAbsent; the server looks by itself when the link is back.
func (a *Agent) Changed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://server/changed", nil)
	if err != nil {
		return fmt.Errorf("cannot tell the server: %w", err)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return fmt.Errorf("cannot tell the server: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("cannot tell the server: it answered %s", resp.Status)
	}
	return nil
}
