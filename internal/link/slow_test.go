package link

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/yamux"

	"ehpc/internal/hpc"
)

// bubble runs a test by a clock of its own. Sessions put timers by for the next
// one, and a timer of one clock may not meet another: a collection throws away
// what was put by, and a second one what the first spared.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	throwAway := func() { runtime.GC(); runtime.GC() }
	throwAway()
	defer throwAway()
	synctest.Test(t, test)
}

// late is a connection whose other end hears everything after the delay.
type late struct {
	net.Conn
	delay time.Duration
	sent  chan parcel
	over  chan struct{} // closed by who made it
	done  chan struct{}
}

type parcel struct {
	at   time.Time
	data []byte
}

func newLate(conn net.Conn, delay time.Duration) *late {
	l := &late{Conn: conn, delay: delay, sent: make(chan parcel, 1000)}
	l.over, l.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(l.done)
		for {
			select {
			case p := <-l.sent:
				select {
				case <-time.After(time.Until(p.at)):
					conn.Write(p.data) // a connection that has ended takes nothing more
				case <-l.over:
					return
				}
			case <-l.over:
				return
			}
		}
	}()
	return l
}

func (l *late) Write(p []byte) (int, error) {
	l.sent <- parcel{time.Now().Add(l.delay), bytes.Clone(p)}
	return len(p), nil
}

// answering is a node that says how it is.
type answering struct{ Node }

func (answering) State(context.Context) (hpc.NodeState, error) {
	return hpc.NodeState{Version: "here"}, nil
}

// lines is a log that several write.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// linked is a hub with the session of one node, and the node's end of it, which
// says everything after the delay and answers nothing by itself but pings.
func linked(t *testing.T, delay time.Duration) (*Hub, *yamux.Session, *lines) {
	t.Helper()
	log := &lines{}
	h := NewHub(slog.New(slog.NewTextHandler(log, nil)), func(string) {})
	n := &node{id: "i-1"}
	h.nodes["i-1"] = n
	near, far := net.Pipe()
	server, err := yamux.Server(near, muxConfig())
	if err != nil {
		t.Fatal(err)
	}
	conf := muxConfig()
	conf.EnableKeepAlive = false // who is slow here is this end
	slow := newLate(far, delay)
	agent, err := yamux.Client(slow, conf)
	if err != nil {
		t.Fatal(err)
	}
	h.wg.Go(func() { h.run(n, server) })
	t.Cleanup(func() {
		agent.Close()
		server.Close()
		near.Close()
		far.Close()
		h.wg.Wait()
		close(slow.over)
		<-slow.done
	})
	synctest.Wait()
	return h, agent, log
}

func TestASlowPeer(t *testing.T) {
	t.Run("one that answers pings after 14 s stays connected", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h, _, log := linked(t, 14*time.Second)
			time.Sleep(3 * time.Minute)
			if _, there := h.Present("i-1"); !there {
				t.Errorf("its agent is gone:\n%s", log)
			}
		})
	})
	t.Run("one that answers no ping is gone, and the log tells", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h, _, log := linked(t, time.Hour)
			time.Sleep(20 * time.Second)
			if _, there := h.Present("i-1"); there || !strings.Contains(log.String(), "agent gone") {
				t.Errorf("it is there: %t; the log:\n%s", there, log)
			}
		})
	})
	t.Run("a stream that it takes after 25 s is answered", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			h, agent, log := linked(t, 0)
			done := make(chan struct{})
			go func() {
				defer close(done)
				time.Sleep(25 * time.Second)
				serveHTTP(agent, Handler(answering{}, nil))
			}()
			t.Cleanup(func() { agent.Close(); <-done })
			if state, err := h.Node("i-1").State(t.Context()); err != nil || state.Version != "here" {
				t.Errorf("state = %+v, err = %v; the log:\n%s", state, err, log)
			}
		})
	})
}

func TestASlowSSHServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, agent, log := linked(t, 0)
		inner, server := net.Pipe()
		done := make(chan struct{})
		_, handler := SSHHandler(func(ctx context.Context) (net.Conn, error) {
			select {
			case <-time.After(25 * time.Second):
				return inner, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		go func() {
			defer close(done)
			serveHTTP(agent, handler)
		}()
		t.Cleanup(func() { agent.Close(); server.Close(); inner.Close(); <-done })
		conn, err := h.DialSSH(t.Context(), "i-1")
		if err != nil {
			t.Fatalf("it is not reached: %v; the log:\n%s", err, log)
		}
		conn.Close()
	})
}

// raw asks a served session over a stream that the test itself reads and writes.
func raw(t *testing.T, ask func(t *testing.T, stream net.Conn)) {
	bubble(t, func(t *testing.T) {
		near, far := net.Pipe()
		served, err := yamux.Server(near, muxConfig())
		if err != nil {
			t.Fatal(err)
		}
		asking, err := yamux.Client(far, muxConfig())
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			serveHTTP(served, Handler(answering{}, nil))
		}()
		stream, err := asking.Open()
		if err != nil {
			t.Fatal(err)
		}
		ask(t, stream)
		asking.Close()
		served.Close()
		<-done
	})
}

const question = "POST /node/state HTTP/1.1\r\nHost: node\r\nConnection: close\r\n" +
	"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

func TestASlowQuestion(t *testing.T) {
	answered := func(t *testing.T, stream net.Conn) {
		t.Helper()
		if text, err := io.ReadAll(stream); err != nil || !strings.Contains(string(text), `"here"`) {
			t.Errorf("the answer is %q, err = %v", text, err)
		}
	}
	t.Run("one that comes 25 s after its stream is answered", func(t *testing.T) {
		raw(t, func(t *testing.T, stream net.Conn) {
			time.Sleep(25 * time.Second)
			io.WriteString(stream, question)
			answered(t, stream)
		})
	})
	t.Run("an answer that is read after 50 s is whole", func(t *testing.T) {
		raw(t, func(t *testing.T, stream net.Conn) {
			io.WriteString(stream, question)
			time.Sleep(50 * time.Second)
			answered(t, stream)
		})
	})
}
