package gateway

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"ehpc/internal/auth"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
)

// lookedAt is a login node that takes its time to read an account's keys.
type lookedAt struct {
	*fakeNode
	takes time.Duration
	times *atomic.Int32
}

func (l lookedAt) Node(id string) link.Node { return slowKeys{l.fakeNode.Node(id), l} }

type slowKeys struct {
	link.Node
	l lookedAt
}

func (s slowKeys) AuthorizedKeys(ctx context.Context, account hpc.AccountID) ([]byte, error) {
	s.l.times.Add(1)
	time.Sleep(s.l.takes)
	return s.Node.AuthorizedKeys(ctx, account)
}

// knock tries to log in to a gateway of its own time, with keys or a password, and
// tells how long it took until it was refused.
func knock(t *testing.T, g *Gateway, source, user string, how ssh.AuthMethod) (banner string, took time.Duration) {
	t.Helper()
	near, far := buffered()
	defer near.Close()
	if !g.meet(source) {
		t.Fatal("there is no room for a stranger")
	}
	g.conns.Go(func() { g.serve(t.Context(), far, source) })
	defer g.conns.Wait()
	begun := time.Now()
	_, _, _, err := ssh.NewClientConn(near, "gateway", &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{how},
		HostKeyCallback: ssh.FixedHostKey(g.key.PublicKey()), BannerCallback: func(text string) error { banner += text; return nil }})
	if err == nil {
		t.Fatalf("%s came in", user)
	}
	near.Close()
	return banner, time.Since(begun)
}

func newKey(t *testing.T) ssh.AuthMethod {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return ssh.PublicKeys(signer)
}

// inTime is a gateway in a time of its own, whose node takes so long to read keys.
func inTime(t *testing.T, takes time.Duration) (*Gateway, *atomic.Int32) {
	w := open(t)
	w.stop() // nobody comes over a network, whose time is another
	w.node.listener.Close()
	times := &atomic.Int32{}
	return New(Options{Store: w.store, Passwords: auth.NewPasswords(), Authority: w.gateway.Authority,
		Nodes: lookedAt{w.node, takes, times}, Log: slog.New(slog.DiscardHandler)}), times
}

// How long a refusal takes tells nothing of who has an account.
func TestARefusalTakesTheSameForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, times := inTime(t, 70*time.Millisecond)
		for _, how := range []func() ssh.AuthMethod{func() ssh.AuthMethod { return newKey(t) }, func() ssh.AuthMethod { return ssh.Password("wrong") }} {
			var first time.Duration
			for i, user := range []string{"lovelace@lab", "noether@lab", "root@lab", "nobody@lab", "lovelace@none", "lovelace"} {
				_, took := knock(t, g, fmt.Sprintf("192.0.2.%d", i), user, how())
				if i == 0 {
					first = took
				}
				if took != first || took < failTime {
					t.Errorf("%s is refused after %v, lovelace after %v", user, took, first)
				}
			}
		}
		if n := times.Load(); n != 2 {
			t.Errorf("the keys of two accounts were read %d times", n)
		}
	})
}

func TestAnAddressThatFailsOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, times := inTime(t, 0)
		for range maxFailures + 40 {
			knock(t, g, "192.0.2.1", "lovelace@lab", newKey(t))
		}
		if n := int(times.Load()); n < maxFailures || n > maxFailures+40 {
			t.Errorf("its keys were read %d times", n)
		}
		read := times.Load()
		g.failures.add("192.0.2.1", maxFailures, time.Now()) // as if all were tried at once
		for _, how := range []ssh.AuthMethod{newKey(t), ssh.Password(password)} {
			if banner, _ := knock(t, g, "192.0.2.1", "lovelace@lab", how); !strings.Contains(banner, "Too many failed logins from your address") {
				t.Errorf("it hears %q", banner)
			}
		}
		if now := times.Load(); now != read {
			t.Error("a process was started for it")
		}
		knock(t, g, "192.0.2.2", "lovelace@lab", newKey(t))
		if now := times.Load(); now != read+1 {
			t.Error("another address suffers from it")
		}
	})
}

func TestFailuresAge(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	var f failures
	f.add("192.0.2.1", maxFailures, now)
	if wait := f.wait("192.0.2.1", now); wait != failureAges {
		t.Errorf("it waits %v", wait)
	}
	if wait := f.wait("192.0.2.1", now.Add(failureAges)); wait != 0 {
		t.Errorf("later it waits %v", wait)
	}
	if f.wait("2001:db8::1", now) != 0 {
		t.Error("another address waits")
	}
	f.add("2001:db8::1", maxFailures, now)
	if f.wait("2001:db8::ffff", now) == 0 {
		t.Error("another address of one network does not wait")
	}
	f.add("192.0.2.1", -5, now)
	if f.wait("192.0.2.1", now) != 0 {
		t.Error("what was taken back counts")
	}
	f.add("192.0.2.1", -2*maxFailures, now)
	for i := range 3 * maxSources {
		f.add(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), 1, now.Add(time.Duration(i)*time.Millisecond))
	}
	if len(f.of) > maxSources {
		t.Errorf("%d sources are remembered", len(f.of))
	}
}
