package gateway

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"ehpc/internal/auth"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

func TestWhatAGuestDoes(t *testing.T) {
	t.Parallel()
	w := open(t)
	t.Run("both ways to write a name lead to the account, with the cluster's id too", func(t *testing.T) {
		for _, user := range []string{"lovelace@lab", "lovelace%lab", "lovelace@" + cluster} {
			if out, err := w.run(w.login(user), "id"); err != nil || out != "lovelace\n" {
				t.Errorf("%s: %q, %v", user, out, err)
			}
		}
	})
	client := w.login("lovelace@lab")
	t.Run("an exit status comes back, and what was said on stderr", func(t *testing.T) {
		session, err := client.NewSession()
		w.must(err)
		var said bytes.Buffer
		session.Stderr = &said
		var exit *ssh.ExitError
		if err := session.Run("fail 42"); !errors.As(err, &exit) || exit.ExitStatus() != 42 || said.String() != "it failed" {
			t.Errorf("%v, %q", err, said.String())
		}
	})
	t.Run("much goes through in both directions", func(t *testing.T) {
		session, err := client.NewSession()
		w.must(err)
		text := make([]byte, 3<<20)
		rand.Read(text)
		session.Stdin = bytes.NewReader(text)
		if out, err := session.Output("cat"); err != nil || !bytes.Equal(out, text) {
			t.Errorf("%d bytes came back, %v", len(out), err)
		}
	})
	t.Run("a subsystem is reached", func(t *testing.T) {
		session, err := client.NewSession()
		w.must(err)
		in, err := session.StdinPipe()
		w.must(err)
		out, err := session.StdoutPipe()
		w.must(err)
		w.must(session.RequestSubsystem("sftp"))
		io.WriteString(in, "hello")
		in.Close()
		if text, err := io.ReadAll(out); err != nil || string(text) != "hello" {
			t.Errorf("%q, %v", text, err)
		}
	})
	t.Run("a terminal and its changes are passed on, an agent is not", func(t *testing.T) {
		for len(w.node.seen) > 0 {
			<-w.node.seen
		}
		session, err := client.NewSession()
		w.must(err)
		w.must(session.RequestPty("xterm", 24, 80, ssh.TerminalModes{}))
		w.must(session.WindowChange(50, 100))
		if ok, err := session.SendRequest("auth-agent-req@openssh.com", true, nil); ok || err != nil {
			t.Errorf("an agent was forwarded: %v, %v", ok, err)
		}
		w.must(session.Start("wait"))
		for _, want := range []string{"pty-req", "window-change", "exec"} {
			if got := <-w.node.seen; got != want {
				t.Errorf("the node was asked for %s, want %s", got, want)
			}
		}
		session.Close()
	})
	t.Run("nothing is forwarded", func(t *testing.T) {
		if conn, err := client.Dial("tcp", "127.0.0.1:22"); err == nil {
			conn.Close()
			t.Error("the gateway connects to where a guest likes")
		}
		if listener, err := client.Listen("tcp", "127.0.0.1:0"); err == nil {
			listener.Close()
			t.Error("the gateway listens where a guest likes")
		}
	})
	t.Run("a connection has so many sessions and no more", func(t *testing.T) {
		for range maxSessions {
			session, err := client.NewSession()
			w.must(err)
			defer session.Close()
		}
		if _, err := client.NewSession(); err == nil || !strings.Contains(err.Error(), "too many sessions") {
			t.Errorf("one more: %v", err)
		}
	})
	t.Run("every login is a line of the log", func(t *testing.T) {
		lines := w.log()
		if len(lines) != 4 || lines[0] != "Login: lovelace logged in on login0 from 127.0.0.1 with a password" {
			t.Errorf("the log is %q", lines)
		}
	})
	t.Run("the end of the gateway ends its connections", func(t *testing.T) {
		w.stop()
		if err := client.Wait(); err == nil {
			t.Error("the connection is said to have ended well")
		}
	})
}

func TestWhoComesIn(t *testing.T) {
	t.Parallel()
	w := open(t)
	signer := func() ssh.Signer {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		w.must(err)
		s, err := ssh.NewSignerFromKey(key)
		w.must(err)
		return s
	}
	mine, restricted, stranger := signer(), signer(), signer()
	line := func(s ssh.Signer) string { return string(ssh.MarshalAuthorizedKey(s.PublicKey())) }
	w.node.is(func() { w.node.keys = "# mine\n" + line(mine) + `command="true" ` + line(restricted) })
	for _, c := range []struct {
		name, user string
		method     ssh.AuthMethod
		in         bool
	}{
		{"a right password", "lovelace@lab", ssh.Password(password), true},
		{"a wrong password", "lovelace@lab", ssh.Password("Wrong-Horse-7"), false},
		{"an empty password", "lovelace@lab", ssh.Password(""), false},
		{"an unknown account", "hypatia@lab", ssh.Password(password), false},
		{"an unknown cluster", "lovelace@none", ssh.Password(password), false},
		{"no cluster", "lovelace", ssh.Password(password), false},
		{"root, which this cluster does not let in", "root@lab", ssh.Password(password), false},
		{"root with no password", "root@lab", ssh.Password(""), false},
		{"a key of the account's own", "lovelace@lab", ssh.PublicKeys(mine), true},
		{"a key with options, which nobody would keep to", "lovelace@lab", ssh.PublicKeys(restricted), false},
		{"a stranger's key", "lovelace@lab", ssh.PublicKeys(stranger), false},
		{"another account's key", "noether@lab", ssh.PublicKeys(mine), false},
		{"root with an account's key", "root@lab", ssh.PublicKeys(mine), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, _, err := w.dial(c.user, c.method)
			if (err == nil) != c.in {
				t.Fatalf("%v", err)
			}
			if err == nil {
				if out, err := w.run(client, "id"); err != nil || out != "lovelace\n" {
					t.Errorf("%q, %v", out, err)
				}
			}
		})
	}
	t.Run("an account that is deleted stays out", func(t *testing.T) {
		w.must(w.store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
			a, err := tx.Account(ctx, cluster, "noether")
			if err != nil {
				return err
			}
			a.Deleted = time.Now()
			return tx.SaveAccount(ctx, a)
		}))
		if _, _, err := w.dial("noether@lab", ssh.Password(password)); err == nil {
			t.Error("it came in")
		}
	})
	t.Run("a name that two clusters have is none", func(t *testing.T) {
		w.must(w.store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.InsertCluster(ctx, &store.Cluster{ID: "ehpc-hz-Gate000002", Name: "lab", Owner: "other", Status: hpc.ClusterRunning, Wanted: true}, hpc.Secrets{})
		}))
		if _, _, err := w.dial("lovelace@lab", ssh.Password(password)); err == nil {
			t.Error("somebody came in, whoever it was")
		}
		w.login("lovelace@" + cluster)
	})
	t.Run("but a cluster that is being deleted takes no part in a name", func(t *testing.T) {
		w.must(w.store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.UnwantCluster(ctx, "ehpc-hz-Gate000002", time.Now())
		}))
		w.login("lovelace@lab")
	})
}

func TestRootComesInWhereItMay(t *testing.T) {
	t.Parallel()
	w := open(t)
	_, key, err := ed25519.GenerateKey(rand.Reader)
	w.must(err)
	signer, err := ssh.NewSignerFromKey(key)
	w.must(err)
	account, err := w.store.Read().Account(t.Context(), cluster, "lovelace")
	w.must(err)
	w.must(w.store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
		for id, root := range map[string]hpc.RootLogin{
			"ehpc-hz-Word000001": {PasswordHash: account.PasswordHash},
			"ehpc-hz-Pair000001": {Key: string(ssh.MarshalAuthorizedKey(signer.PublicKey()))},
		} {
			if err := tx.InsertCluster(ctx, &store.Cluster{ID: id, Name: id, Status: hpc.ClusterRunning, Wanted: true}, hpc.Secrets{Root: root}); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, c := range []struct {
		name, cluster string
		method        ssh.AuthMethod
		in            bool
	}{
		{"the password of the cluster", "ehpc-hz-Word000001", ssh.Password(password), true},
		{"another password", "ehpc-hz-Word000001", ssh.Password("Wrong-Horse-7"), false},
		{"a key, where there is a password", "ehpc-hz-Word000001", ssh.PublicKeys(signer), false},
		{"the key of the cluster", "ehpc-hz-Pair000001", ssh.PublicKeys(signer), true},
		{"no password, where there is a key", "ehpc-hz-Pair000001", ssh.Password(""), false},
	} {
		if _, _, err := w.dial("root@"+c.cluster, c.method); (err == nil) != c.in {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestStrangersAreSlowedDownEachForThemselves(t *testing.T) {
	t.Parallel()
	w := open(t)
	for range 2 {
		if _, _, err := w.dial("lovelace%lab", ssh.Password("Wrong-Horse-7")); err == nil {
			t.Fatal("a wrong password came in")
		}
	}
	// The third, dated so that the delay does not end while the test runs.
	account, err := w.store.Read().Account(t.Context(), cluster, "lovelace")
	w.must(err)
	err = w.gateway.Passwords.Check(t.Context(), time.Now().Add(10*time.Minute), "ssh from 127.0.0.1", cluster+"/lovelace", account.PasswordHash, "Wrong-Horse-7")
	if !errors.Is(err, auth.ErrWrongPassword) {
		t.Fatal(err)
	}
	_, banner, err := w.dial("lovelace@lab", ssh.Password(password))
	if err == nil || !strings.Contains(banner, "Too many wrong passwords") {
		t.Errorf("the slowed pair is told %q, %v", banner, err)
	}
	w.login("noether@lab") // another account from the same address
	d := &door{g: w.gateway, source: "192.0.2.7"}
	if _, err := d.password(t.Context(), "lovelace@lab", password); err != nil {
		t.Errorf("the same account from another address is locked out: %v", err)
	}
}

func TestStrangersAreFewAndShort(t *testing.T) {
	t.Parallel()
	w := open(t)
	var waiting []net.Conn
	for range maxFromSource {
		conn, err := net.Dial("tcp", w.address)
		w.must(err)
		defer conn.Close()
		w.must(conn.SetDeadline(time.Now().Add(time.Minute)))
		if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil { // the gateway's first word
			t.Fatal(err)
		}
		waiting = append(waiting, conn)
	}
	conn, err := net.Dial("tcp", w.address)
	w.must(err)
	defer conn.Close()
	w.must(conn.SetDeadline(time.Now().Add(time.Minute)))
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("one more is greeted (%d)", n)
	}
	waiting[0].Close()
	deadline := time.Now().Add(time.Minute)
	for {
		client, _, err := w.dial("lovelace@lab", ssh.Password(password))
		if err == nil {
			client.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody comes in after one has gone: %v", err)
		}
	}
}

func TestOneAccountLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	w := open(t)
	var all []*ssh.Client
	for range maxOfAccount {
		client := w.login("lovelace@lab")
		if _, err := w.run(client, "id"); err != nil {
			t.Fatal(err)
		}
		all = append(all, client)
	}
	_, err := w.run(w.login("lovelace%"+cluster), "id")
	if err == nil || !strings.Contains(err.Error(), "too many connections") {
		t.Errorf("one more: %v", err)
	}
	if _, err := w.run(w.login("noether@lab"), "id"); err != nil {
		t.Errorf("another account: %v", err)
	}
	all[0].Close()
	deadline := time.Now().Add(time.Minute)
	for {
		if _, err = w.run(w.login("lovelace@lab"), "id"); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody comes in after one has gone: %v", err)
		}
	}
}

func TestPlacesOfGuests(t *testing.T) {
	t.Parallel()
	g := &Gateway{guests: map[string]int{}}
	for i := range maxOfCluster {
		if !g.seat("a", fmt.Sprint(i)) {
			t.Fatalf("there are %d places", i)
		}
	}
	if g.seat("a", "x") || !g.seat("b", "x") {
		t.Error("one cluster takes another's places")
	}
	g.leave("b", "x")
	for i := range maxOfCluster {
		g.leave("a", fmt.Sprint(i))
	}
	if len(g.guests) > 0 || g.all > 0 {
		t.Errorf("left are %v, %d", g.guests, g.all)
	}
}

func TestASourceIsWhatOneHas(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "::1": "::/64",
	} {
		if got := network(address); got != want {
			t.Errorf("%s is of %s, expected %s", address, got, want)
		}
	}
}

func TestANodeThatIsNotTheOne(t *testing.T) {
	t.Parallel()
	w := open(t)
	t.Run("another node's certificate is refused", func(t *testing.T) {
		w.node.is(func() { w.node.host = "i-other" })
		_, err := w.run(w.login("lovelace@lab"), "id")
		if err == nil || !strings.Contains(err.Error(), "cannot be reached") {
			t.Errorf("got %v", err)
		}
		if lines := w.log(); len(lines) > 0 {
			t.Errorf("the log says %q", lines)
		}
	})
	t.Run("a node that does not know the account yet is not asked to let it in", func(t *testing.T) {
		w.node.is(func() { w.node.ignorant = true })
		defer w.node.is(func() { w.node.ignorant = false })
		_, err := w.run(w.login("lovelace@lab"), "id")
		if err == nil || !strings.Contains(err.Error(), "does not know the account yet; try again") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("at a server that does not run the cluster the guest is told where to log in", func(t *testing.T) {
		w.node.is(func() { w.node.gone = true })
		w.gateway.Holder = func(context.Context, string) (bool, *store.Lease, error) {
			return false, &store.Lease{Endpoint: "https://a.example.org"}, nil
		}
		_, err := w.run(w.login("lovelace@lab"), "id")
		if err == nil || !strings.Contains(err.Error(), "log in there (its API is at https://a.example.org)") {
			t.Errorf("got %v", err)
		}
		w.gateway.Holder = nil
	})
	t.Run("without a login node the guest is told", func(t *testing.T) {
		w.node.is(func() { w.node.gone = true })
		_, err := w.run(w.login("lovelace@lab"), "id")
		if err == nil || !strings.Contains(err.Error(), "no login node") {
			t.Errorf("got %v", err)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add("lovelace@lab")
	f.Add("a%b@c")
	f.Add("@")
	f.Fuzz(func(t *testing.T, user string) {
		account, cluster, ok := split(user)
		if ok && (account == "" || cluster == "" || strings.ContainsAny(cluster, "@%") || len(account)+1+len(cluster) != len(user)) {
			t.Errorf("%q is %q of %q", user, account, cluster)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPFmMnsVAEh1gHjdm4QTIPXiPPhFnJEVhEhmf/rPBcsu me\n"))
	f.Add([]byte("command=\"x\" ssh-rsa AAAA\n#\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, key := range parseKeys(text) {
			if _, err := ssh.ParsePublicKey(key); err != nil {
				t.Errorf("%q holds a key that is none: %v", text, err)
			}
		}
	})
}
