package link_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
)

// stub is a node whose calls are functions.
type stub struct {
	link.Node
	state   func(context.Context) (hpc.NodeState, error)
	command func(context.Context, string) (hpc.CommandResult, error)
	write   func(context.Context, link.AccountFile) error
	used    []hpc.Measurement
}

func (s stub) Measurements(context.Context, ...hpc.JobOnNode) ([]hpc.Measurement, error) {
	return s.used, nil
}

func (s stub) State(ctx context.Context) (hpc.NodeState, error) { return s.state(ctx) }

func (s stub) CommandResult(ctx context.Context, id string) (hpc.CommandResult, error) {
	return s.command(ctx, id)
}

func (s stub) WriteFile(ctx context.Context, file link.AccountFile) error { return s.write(ctx, file) }

func named(name string) stub {
	return stub{state: func(context.Context) (hpc.NodeState, error) { return hpc.NodeState{Version: name}, nil }}
}

// bench is a hub with one node's directory; every change comes through changes.
type bench struct {
	*testing.T
	hub     *link.Hub
	dir     string
	changes chan string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, dir: t.TempDir(), changes: make(chan string, 100)}
	b.restart()
	return b
}

// restart makes a new hub on the same directory, as a new server does.
func (b *bench) restart() {
	b.Helper()
	hub := link.NewHub(slog.New(slog.DiscardHandler), func(id string) { b.changes <- id })
	if err := hub.Listen("i-1", b.dir); err != nil {
		b.Fatal(err)
	}
	b.hub = hub
	b.Cleanup(func() { hub.Close() })
}

// countingHub listens in a directory and counts how often it was woken.
func countingHub(t *testing.T) (dir string, woken *atomic.Int64) {
	t.Helper()
	dir, woken = t.TempDir(), new(atomic.Int64)
	hub := link.NewHub(slog.New(slog.DiscardHandler), func(string) { woken.Add(1) })
	t.Cleanup(func() { hub.Close() })
	if err := hub.Listen("i-1", dir); err != nil {
		t.Fatal(err)
	}
	return dir, woken
}

// dial connects to the directory's socket, however long its path.
func dial(dir string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		d, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		defer d.Close()
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", filepath.Join("/proc/self/fd", strconv.Itoa(int(d.Fd())), link.SocketName))
	}
}

// agent serves the handler and returns it with a function that ends it.
func (b *bench) agent(handler http.Handler) (*link.Agent, func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a := link.NewAgent(slog.New(slog.DiscardHandler), dial(b.dir), handler)
	done := make(chan struct{})
	go func() { a.Serve(ctx); close(done) }()
	stop := func() { cancel(); <-done }
	b.Cleanup(stop)
	return a, stop
}

// present waits for a change after which the node is there, or not.
func (b *bench) present(want bool) {
	b.Helper()
	deadline := time.After(time.Minute)
	for {
		if _, ok := b.hub.Present("i-1"); ok == want {
			return
		}
		select {
		case <-b.changes:
		case <-deadline:
			b.Fatalf("the node's presence did not become %v", want)
		}
	}
}

func (b *bench) version() string {
	b.Helper()
	state, err := b.hub.Node("i-1").State(b.Context())
	if err != nil {
		b.Fatalf("cannot ask the node: %v", err)
	}
	return state.Version
}

func TestLink(t *testing.T) {
	t.Parallel()
	t.Run("a connected agent answers and is present", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		if _, err := b.hub.Node("i-1").State(t.Context()); !errors.Is(err, link.ErrAbsent) {
			t.Errorf("before: %v", err)
		}
		_, stop := b.agent(link.Handler(named("one"), nil))
		b.present(true)
		if got := b.version(); got != "one" {
			t.Errorf("got %q", got)
		}
		stop()
		b.present(false)
		if _, err := b.hub.Node("i-1").State(t.Context()); !errors.Is(err, link.ErrAbsent) {
			t.Errorf("after: %v", err)
		}
	})
	t.Run("errors keep their kind and text", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		node := stub{
			command: func(context.Context, string) (hpc.CommandResult, error) {
				return hpc.CommandResult{}, link.ErrUnknownCommand
			},
			write: func(_ context.Context, f link.AccountFile) error {
				return errors.Join(errors.New("cannot write "+f.Path), link.ErrDenied)
			},
		}
		b.agent(link.Handler(node, nil))
		b.present(true)
		if _, err := b.hub.Node("i-1").CommandResult(t.Context(), "c-1"); !errors.Is(err, link.ErrUnknownCommand) {
			t.Errorf("got %v", err)
		}
		err := b.hub.Node("i-1").WriteFile(t.Context(), link.AccountFile{Path: "/etc/passwd"})
		if !errors.Is(err, link.ErrDenied) || !strings.Contains(err.Error(), "cannot write /etc/passwd") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the agent comes back to a restarted server", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.agent(link.Handler(named("one"), nil))
		b.present(true)
		b.hub.Close()
		b.restart()
		b.present(true)
		if got := b.version(); got != "one" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a newer connection replaces the older", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		conn, err := dial(b.dir)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		old, err := yamux.Client(conn, nil)
		if err != nil {
			t.Fatal(err)
		}
		b.present(true)
		b.agent(link.Handler(named("two"), nil))
		<-old.CloseChan()
		b.present(true)
		if got := b.version(); got != "two" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("the agent can wake the server", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		a, _ := b.agent(link.Handler(named("one"), nil))
		b.present(true)
		for len(b.changes) > 0 {
			<-b.changes
		}
		// The server may know of the link before the agent does.
		err := a.Changed(t.Context())
		for errors.Is(err, link.ErrAbsent) {
			runtime.Gosched()
			err = a.Changed(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		if id := <-b.changes; id != "i-1" {
			t.Errorf("node %s changed", id)
		}
	})
	t.Run("a directory deeper than a socket address works", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.dir = filepath.Join(b.dir, strings.Repeat("long/", 60))
		b.restart()
		b.agent(link.Handler(named("deep"), nil))
		b.present(true)
		if got := b.version(); got != "deep" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("the socket is root's alone", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		info, err := os.Stat(filepath.Join(b.dir, link.SocketName))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	})
	t.Run("a forgotten node is gone", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		b.agent(link.Handler(named("one"), nil))
		b.present(true)
		b.hub.Forget("i-1")
		b.present(false)
		if _, err := b.hub.Node("i-1").State(t.Context()); !errors.Is(err, link.ErrAbsent) {
			t.Errorf("got %v", err)
		}
	})
}

// endless is an answer that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestHostileAgents(t *testing.T) {
	t.Parallel()
	answer := func(fn http.HandlerFunc) func(*testing.T) error {
		return func(t *testing.T) error {
			b := newBench(t)
			b.agent(fn)
			b.present(true)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := b.hub.Node("i-1").State(ctx)
			return err
		}
	}
	raw := func(talk func(net.Conn)) func(*testing.T) error {
		return func(t *testing.T) error {
			b := newBench(t)
			conn, err := dial(b.dir)(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			talk(conn)
			b.present(false)
			_, err = b.hub.Node("i-1").State(t.Context())
			return err
		}
	}
	cases := []struct {
		name string
		ask  func(*testing.T) error
		want string
	}{
		{"an endless answer is cut off", answer(func(w http.ResponseWriter, _ *http.Request) { io.Copy(w, endless{}) }), "longer than"},
		{"an answer that is not JSON is refused", answer(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }), "cannot understand"},
		{"an endless error is cut off", answer(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			io.Copy(w, endless{})
		}), "longer than"},
		{"endless headers are cut off", answer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
		}), "exceeded"},
		{"a redirect is not followed", answer(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}), "status 302"},
		{"no answer runs into the deadline", answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), "deadline"},
		{"garbage instead of the protocol ends the connection", raw(func(c net.Conn) {
			io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		}), "not connected"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.ask(t); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want it to contain %q", err, c.want)
			}
		})
	}
	t.Run("an agent that reports changes all the time wakes the server ten times a second", func(t *testing.T) {
		t.Parallel()
		dir, woken := countingHub(t)
		a := link.NewAgent(slog.New(slog.DiscardHandler), dial(dir), http.NotFoundHandler())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := make(chan struct{})
		go func() { a.Serve(ctx); close(done) }()
		for ctx.Err() == nil {
			a.Changed(ctx)
		}
		<-done
		if n := woken.Load(); n < 2 || n > 13 { // its coming and going among them
			t.Errorf("it did so %d times", n)
		}
	})
	t.Run("an agent that connects all the time wakes the server as rarely", func(t *testing.T) {
		t.Parallel()
		dir, woken := countingHub(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for ctx.Err() == nil {
			if conn, err := dial(dir)(ctx); err == nil {
				conn.Close()
			}
		}
		if n := woken.Load(); n < 2 || n > 22 { // one for its coming and one for its going
			t.Errorf("it did so %d times", n)
		}
	})
	t.Run("an agent that falls silent is soon taken for gone", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		conn, err := dial(b.dir)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() // open, but nobody reads or writes
		b.present(true)
		began := time.Now()
		b.present(false)
		t.Logf("it took %v", time.Since(began).Round(time.Millisecond))
	})
	t.Run("an agent that accepts no calls holds nobody past the deadline", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		conn, err := dial(b.dir)(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		session, err := yamux.Client(conn, nil) // answers pings, accepts nothing
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		b.present(true)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		done := make(chan error, 100)
		for range cap(done) {
			go func() { _, err := b.hub.Node("i-1").State(ctx); done <- err }()
		}
		for range cap(done) {
			if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// sshBench is a bench whose node has an ssh server of its own, and nothing else.
func sshBench(t *testing.T, serve func(net.Conn)) *bench {
	t.Helper()
	b := newBench(t)
	prefix, relay := link.SSHHandler(func(context.Context) (net.Conn, error) {
		near, far := net.Pipe()
		go serve(far)
		return near, nil
	})
	b.agent(link.Handler(named("a"), map[string]http.Handler{prefix: relay}))
	b.present(true)
	return b
}

func TestSSHGoesOverTheLink(t *testing.T) {
	t.Parallel()
	t.Run("what is said comes back, beside calls", func(t *testing.T) {
		t.Parallel()
		b := sshBench(t, func(c net.Conn) { io.Copy(c, c); c.Close() })
		conn, err := b.hub.DialSSH(t.Context(), "i-1")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		text := strings.Repeat("0123456789", 200_000)
		go io.WriteString(conn, text)
		got := make([]byte, len(text))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
			t.Errorf("%d bytes came back, %v", len(got), err)
		}
		if _, err := b.hub.Node("i-1").State(t.Context()); err != nil {
			t.Errorf("a call meanwhile: %v", err)
		}
	})
	t.Run("the server's end ends the connection", func(t *testing.T) {
		t.Parallel()
		b := sshBench(t, func(c net.Conn) { io.WriteString(c, "bye"); c.Close() })
		conn, err := b.hub.DialSSH(t.Context(), "i-1")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got, err := io.ReadAll(conn); err != nil || string(got) != "bye" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("calls always have room beside it", func(t *testing.T) {
		t.Parallel()
		b := sshBench(t, func(c net.Conn) { io.Copy(c, c) })
		var err error
		count := 0
		for ; err == nil && count < 100; count++ {
			var conn net.Conn
			if conn, err = b.hub.DialSSH(t.Context(), "i-1"); err == nil {
				defer conn.Close()
			}
		}
		if err == nil || !strings.Contains(err.Error(), "has 32 such connections") {
			t.Errorf("after %d connections: %v", count, err)
		}
		if _, err := b.hub.Node("i-1").State(t.Context()); err != nil {
			t.Errorf("a call: %v", err)
		}
	})
	t.Run("a node without an agent is absent", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		if _, err := b.hub.DialSSH(t.Context(), "i-1"); !errors.Is(err, link.ErrAbsent) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a node that says nothing is given up", func(t *testing.T) {
		t.Parallel()
		b := newBench(t)
		silent := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		b.agent(silent)
		b.present(true)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if conn, err := b.hub.DialSSH(ctx, "i-1"); err == nil {
			conn.Close()
			t.Error("it connected")
		}
	})
}

func TestMeasurementsThatNoHonestAgentSendsAreLeftOut(t *testing.T) {
	t.Parallel()
	negative := int64(-1)
	used := func(u hpc.Used) []hpc.Used { return []hpc.Used{u} }
	good := hpc.Measurement{Job: "7", Host: "a", Parts: used(hpc.Used{CPU: time.Second, Memory: 5}), Final: true}
	server := httptest.NewServer(link.Handler(stub{used: []hpc.Measurement{
		good, good, // told once
		{Job: "8", Host: "a"}, // not asked for
		{Job: "7", Host: "b", Parts: used(hpc.Used{CPU: -1})},
		{Job: "7", Host: "c", Parts: used(hpc.Used{Memory: 1 << 62})},
		{Job: "7", Host: "d", Parts: used(hpc.Used{Energy: &negative})},
		{Job: "7", Host: "e", Parts: used(hpc.Used{Began: time.Unix(9, 0), Ended: time.Unix(8, 0)})},
		{Job: "7", Host: "f", Parts: make([]hpc.Used, hpc.PartsLimit+1)},
	}}, nil))
	defer server.Close()
	client := link.NewClient(&http.Client{Transport: to{server.Listener.Addr().String()}})
	var asked []hpc.JobOnNode
	for _, host := range []string{"a", "b", "c", "d", "e", "f"} {
		asked = append(asked, hpc.JobOnNode{Job: "7", Host: host})
	}
	got, err := client.Measurements(t.Context(), asked...)
	if err != nil || len(got) != 1 || got[0].Job != "7" || got[0].Host != "a" || got[0].Parts[0].CPU != time.Second {
		t.Errorf("taken are %+v, %v", got, err)
	}
}

// to sends every request to one address.
type to struct{ address string }

func (d to) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL.Host = d.address
	return http.DefaultTransport.RoundTrip(r)
}
