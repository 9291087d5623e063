package link

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/yamux"
)

// streamLimit bounds the streams that the other side may have open at once.
const streamLimit = 64

// muxConfig notices a peer that is gone without a word in at most 18 seconds:
// three until the next ping, fifteen for its answer. One whose process has ended is
// noticed at once, so what the answer decides is whether a peer is merely slow: a
// busy node's is, and a server that is short of time for a moment must not take
// thousands of peers for gone, for they would come again at once and leave it less.
// A stream that one side has closed is kept for what the other has still to read:
// after StreamCloseTimeout the rest of an answer is lost.
func muxConfig() *yamux.Config {
	c := yamux.DefaultConfig()
	c.AcceptBacklog = streamLimit
	c.KeepAliveInterval = 3 * time.Second
	c.ConnectionWriteTimeout = 15 * time.Second
	c.StreamOpenTimeout = 30 * time.Second
	c.StreamCloseTimeout = time.Minute
	c.LogOutput = io.Discard // what matters comes back as an error
	return c
}

// serveHTTP answers what the other side asks until the session ends.
func serveHTTP(session *yamux.Session, handler http.Handler) {
	var plain http.Protocols
	plain.SetHTTP1(true) // a session has its streams already
	server := &http.Server{
		Protocols:         &plain,
		Handler:           handler,
		ReadHeaderTimeout: time.Minute, // who asked has a limit of its own
		ReadTimeout:       2 * time.Minute,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	server.Serve(&limitListener{Listener: session, free: make(chan struct{}, streamLimit)})
	server.Close()
}

// limitListener closes connections over the limit at once.
type limitListener struct {
	net.Listener
	free chan struct{}
}

func (l *limitListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.free <- struct{}{}:
			return &limitedConn{Conn: framed{conn}, free: l.free}, nil
		default:
			conn.Close()
		}
	}
}

// transport carries HTTP requests over the session that current returns, one
// stream each. Failures after the session is gone are ErrAbsent.
func transport(current func() *yamux.Session) http.RoundTripper {
	return roundTripper{current: current, http: &http.Transport{
		DisableKeepAlives:      true, // a stream costs nothing and a session may be replaced
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 10,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			session := current()
			if session == nil {
				return nil, ErrAbsent
			}
			return openStream(ctx, session)
		},
	}}
}

type roundTripper struct {
	current func() *yamux.Session
	http    *http.Transport
}

func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	before := t.current()
	if before == nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, ErrAbsent
	}
	resp, err := t.http.RoundTrip(req)
	if err != nil && before.IsClosed() && req.Context().Err() == nil {
		return nil, ErrAbsent
	}
	return resp, err
}

// openStream is session.Open with a context: Open itself blocks for as long as
// a peer leaves earlier streams unanswered, until StreamOpenTimeout ends the session.
func openStream(ctx context.Context, session *yamux.Session) (net.Conn, error) {
	type opened struct {
		conn net.Conn
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		conn, err := session.Open()
		done <- opened{conn, err}
	}()
	select {
	case o := <-done:
		return framed{o.conn}, o.err
	case <-ctx.Done():
		go func() {
			if o := <-done; o.err == nil {
				o.conn.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// newHTTPClient follows no redirects: a node answers for itself alone.
func newHTTPClient(rt http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: rt,
		Timeout:   10 * time.Minute, // a backstop; callers' deadlines are nearer
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}
