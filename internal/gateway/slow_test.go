package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"ehpc/internal/auth"
)

// slowDoor is a login node whose ssh server says its first word after the time.
type slowDoor struct {
	*fakeNode
	after time.Duration
	all   *sync.WaitGroup
}

func (s slowDoor) DialSSH(context.Context, string) (net.Conn, error) {
	near, far := buffered()
	s.all.Go(func() {
		time.Sleep(s.after)
		s.serve(far)
	})
	return near, nil
}

// buffered is two ends of a connection that, as real ones, takes what is written
// before it is read.
func buffered() (net.Conn, net.Conn) {
	a, b := net.Pipe()
	return newBuffer(a), newBuffer(b)
}

type buffer struct {
	net.Conn
	sent chan []byte
	over context.CancelFunc
	done <-chan struct{}
}

func newBuffer(conn net.Conn) *buffer {
	ctx, cancel := context.WithCancel(context.Background())
	b := &buffer{Conn: conn, sent: make(chan []byte, 1000), over: cancel, done: ctx.Done()}
	go func() {
		for {
			select {
			case p := <-b.sent:
				conn.Write(p) // what the other end closed takes nothing more
			case <-b.done:
				for len(b.sent) > 0 { // who is turned away hears why
					conn.Write(<-b.sent)
				}
				conn.Close()
				return
			}
		}
	}()
	return b
}

// RemoteAddr is that of the node itself, for whom certificates are good.
func (b *buffer) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (b *buffer) Write(p []byte) (int, error) {
	select {
	case b.sent <- bytes.Clone(p):
		return len(p), nil
	case <-b.done:
		return 0, net.ErrClosed
	}
}

func (b *buffer) Close() error {
	b.over()
	b.Conn.SetWriteDeadline(time.Now().Add(time.Second))
	return b.Conn.SetReadDeadline(time.Now())
}

// visit comes to a gateway whose node says its first word after the time, types
// a password for so long, and runs a command.
func visit(t *testing.T, node, typing time.Duration) (out string, log *bytes.Buffer, err error) {
	w := open(t)
	w.stop() // nobody comes over a network, whose time is another
	w.node.listener.Close()
	var nodes sync.WaitGroup
	defer nodes.Wait()
	log = &bytes.Buffer{}
	g := New(Options{Store: w.store, Passwords: auth.NewPasswords(), Authority: w.gateway.Authority,
		Nodes: slowDoor{w.node, node, &nodes}, Log: slog.New(slog.NewTextHandler(log, nil))})
	near, far := buffered()
	g.meet("here")
	g.conns.Go(func() { g.serve(t.Context(), far, "here") })
	defer g.conns.Wait()
	defer near.Close()
	typed := ssh.PasswordCallback(func() (string, error) {
		time.Sleep(typing)
		return password, nil
	})
	inner, channels, requests, err := ssh.NewClientConn(near, "gateway", &ssh.ClientConfig{User: "lovelace@lab",
		Auth: []ssh.AuthMethod{typed}, HostKeyCallback: ssh.FixedHostKey(g.key.PublicKey())})
	if err != nil {
		return "", log, err
	}
	client := ssh.NewClient(inner, channels, requests)
	defer client.Close()
	out, err = w.run(client, "id")
	return out, log, err
}

func TestASlowLogin(t *testing.T) {
	in := func(name string, test func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
	}
	in("a node whose ssh server answers after 40 s lets people in", func(t *testing.T) {
		if out, log, err := visit(t, 40*time.Second, time.Second); err != nil || out != "lovelace\n" {
			t.Errorf("out = %q, err = %v; the log:\n%s", out, err, log)
		}
	})
	in("a node whose ssh server never answers is told to the guest and the log", func(t *testing.T) {
		_, log, err := visit(t, 10*time.Minute, time.Second)
		if err == nil || !strings.Contains(err.Error(), "the login node cannot be reached now; try again") ||
			!strings.Contains(log.String(), "cannot let somebody in") {
			t.Errorf("err = %v; the log:\n%s", err, log)
		}
	})
	in("a password that takes 50 s lets people in", func(t *testing.T) {
		if out, log, err := visit(t, 0, 50*time.Second); err != nil || out != "lovelace\n" {
			t.Errorf("out = %q, err = %v; the log:\n%s", out, err, log)
		}
	})
	in("a guest that never gives one is sent away", func(t *testing.T) {
		if _, _, err := visit(t, 0, 2*time.Minute); err == nil {
			t.Error("it was let in")
		}
	})
}
