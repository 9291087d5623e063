package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"ehpc/internal/auth"
	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/sshca"
	"ehpc/internal/store"
)

const (
	cluster  = "ehpc-hz-Gate000001"
	password = "Right-Horse-7"
)

// world is a gateway, its store, and one login node with an ssh server of its own.
type world struct {
	*testing.T
	store   *store.Store
	gateway *Gateway
	address string
	node    *fakeNode
	stop    func()
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	dir := t.TempDir()
	sealer, err := auth.OpenSealer(dir + "/key")
	w.must(err)
	log := slog.New(slog.DiscardHandler)
	w.store, err = store.Open(t.Context(), dir, sealer, log)
	w.must(err)
	hash, err := auth.HashPassword(password)
	w.must(err)
	now := time.Now()
	w.must(w.store.Change(t.Context(), func(ctx context.Context, tx store.Tx) error {
		c := &store.Cluster{ID: cluster, Name: "lab", Owner: "owner", Status: hpc.ClusterRunning, Wanted: true, Created: now, Changed: now}
		if err := tx.InsertCluster(ctx, c, hpc.Secrets{}); err != nil {
			return err
		}
		n := &store.Node{ID: "i-login", ClusterID: cluster, Hostname: "login0", Roles: []hpc.Role{hpc.RoleLogin},
			Status: hpc.NodeRunning, Wanted: true, Created: now, Changed: now}
		if err := tx.InsertNodes(ctx, []*store.Node{n}); err != nil {
			return err
		}
		for _, name := range []string{"lovelace", "noether"} {
			if err := tx.AddAccount(ctx, &store.Account{ClusterID: cluster, Name: name, UserGroup: "users", PasswordHash: hash, Added: now}); err != nil {
				return err
			}
		}
		return nil
	}))
	authority := sshca.New(sealer.Derive)
	w.node = &fakeNode{T: t, authority: authority, seen: make(chan string, 100)}
	w.node.open("i-login")
	w.gateway = New(Options{Store: w.store, Passwords: auth.NewPasswords(), Authority: authority, Nodes: w.node, Log: log})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	w.address = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var served sync.WaitGroup
	served.Go(func() { w.gateway.Serve(ctx, listener) })
	w.stop = sync.OnceFunc(func() { cancel(); served.Wait() })
	t.Cleanup(func() {
		w.stop()
		w.node.listener.Close()
		w.must(w.store.Close())
	})
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// dial logs in; the gateway must have its own key.
func (w *world) dial(user string, method ssh.AuthMethod) (*ssh.Client, string, error) {
	var banner string
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(w.gateway.HostKey()))
	w.must(err)
	client, err := ssh.Dial("tcp", w.address, &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{method},
		HostKeyCallback: ssh.FixedHostKey(key), Timeout: 10 * time.Second,
		BannerCallback: func(message string) error { banner += message; return nil }})
	if err == nil {
		w.Cleanup(func() { client.Close() })
	}
	return client, banner, err
}

// login must succeed.
func (w *world) login(user string) *ssh.Client {
	w.Helper()
	client, _, err := w.dial(user, ssh.Password(password))
	w.must(err)
	return client
}

func (w *world) run(client *ssh.Client, command string) (string, error) {
	session, err := client.NewSession()
	if err != nil {
		return "", err
	}
	defer session.Close()
	out, err := session.Output(command)
	return string(out), err
}

// log is the cluster's log, newest first.
func (w *world) log() (lines []string) {
	rows, _, err := w.store.Read().Logs(w.Context(), cluster, store.Page{})
	w.must(err)
	for _, l := range rows {
		lines = append(lines, l.Operation+": "+l.Message)
	}
	return lines
}

// fakeNode is a node's agent and ssh server, as far as the gateway meets them.
type fakeNode struct {
	*testing.T
	authority *sshca.Authority
	listener  net.Listener
	seen      chan string // what sessions were asked for

	mu       sync.Mutex
	keys     string // the authorized_keys of lovelace
	gone     bool   // its agent is away
	ignorant bool   // it knows no account yet
	host     string // the node that it says it is
}

func (f *fakeNode) open(host string) {
	f.host = host
	var err error
	if f.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		f.Fatal(err)
	}
	go func() {
		for {
			conn, err := f.listener.Accept()
			if err != nil {
				return
			}
			go f.serve(conn)
		}
	}()
}

func (f *fakeNode) is(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeNode) Present(string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.gone
}

func (f *fakeNode) Node(string) link.Node { return agent{f: f} }

// agent answers what the gateway asks; whatever else would be asked panics.
type agent struct {
	link.Node
	f *fakeNode
}

func (f *fakeNode) DialSSH(ctx context.Context, nodeID string) (net.Conn, error) {
	if !f.Present(nodeID) {
		return nil, link.ErrAbsent
	}
	return new(net.Dialer).DialContext(ctx, "tcp", f.listener.Addr().String())
}

func (a agent) Knows(_ context.Context, account hpc.AccountID) error {
	a.f.mu.Lock()
	defer a.f.mu.Unlock()
	if a.f.ignorant {
		return fmt.Errorf("%w: %s", hpc.ErrUnknownAccount, account.Name)
	}
	return nil
}

func (a agent) AuthorizedKeys(_ context.Context, account hpc.AccountID) ([]byte, error) {
	f := a.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if account.Name != "lovelace" {
		return nil, nil
	}
	return []byte(f.keys), nil
}

// serve lets in whoever has a certificate of the cluster's authority, as sshd does.
func (f *fakeNode) serve(conn net.Conn) {
	defer conn.Close()
	f.mu.Lock()
	host := f.host
	f.mu.Unlock()
	keys, err := f.authority.Host(cluster, host, "login0")
	if err != nil {
		f.Error(err)
		return
	}
	public, _, _, _, _ := ssh.ParseAuthorizedKey(keys.HostCert)
	private, _ := ssh.ParsePrivateKey(keys.HostKey)
	signer, err := ssh.NewCertSigner(public.(*ssh.Certificate), private)
	if err != nil {
		f.Error(err)
		return
	}
	ca, _, _, _, _ := ssh.ParseAuthorizedKey(keys.CA)
	checker := &ssh.CertChecker{SupportedCriticalOptions: []string{"source-address"}, IsUserAuthority: func(key ssh.PublicKey) bool {
		return string(key.Marshal()) == string(ca.Marshal())
	}}
	config := &ssh.ServerConfig{PublicKeyCallback: checker.Authenticate}
	config.AddHostKey(signer)
	client, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		f.seen <- "refused: " + err.Error()
		return
	}
	go ssh.DiscardRequests(requests)
	for asked := range channels {
		channel, requests, err := asked.Accept()
		if err != nil {
			return
		}
		go f.session(client.User(), channel, requests)
	}
}

func (f *fakeNode) session(user string, channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for r := range requests {
		f.seen <- r.Type
		r.Reply(true, nil)
		var command struct{ Text string }
		if r.Type != "exec" && r.Type != "subsystem" || ssh.Unmarshal(r.Payload, &command) != nil {
			continue
		}
		var status struct{ Code uint32 }
		switch name, rest, _ := strings.Cut(command.Text, " "); name {
		case "id":
			fmt.Fprintln(channel, user)
		case "cat", "sftp":
			io.Copy(channel, channel)
		case "fail":
			fmt.Fprint(channel.Stderr(), "it failed")
			fmt.Sscan(rest, &status.Code)
		case "wait":
			continue
		}
		channel.CloseWrite()
		channel.SendRequest("exit-status", false, ssh.Marshal(status))
		return
	}
}
