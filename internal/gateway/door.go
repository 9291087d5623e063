package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"ehpc/internal/auth"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// errRefused is all that a stranger hears, whatever was wrong.
var errRefused = errors.New("no such account, or a wrong password or key")

// door decides who comes in over one connection.
type door struct {
	g      *Gateway
	source string

	keysOf string // the user whose keys were read
	keys   [][]byte
	failed int // tries that count
}

// Keys of ssh.Permissions.Extensions, which tell what was proven.
const (
	provenCluster = "cluster"
	provenName    = "name"
	provenMethod  = "method"
)

// config is asked by one connection alone, one question after the other.
func (d *door) config(ctx context.Context) *ssh.ServerConfig {
	c := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-ehpc",
		MaxAuthTries:  maxTries,
		PasswordCallback: func(meta ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			return evenly(ctx, func() (*ssh.Permissions, error) { return d.password(ctx, meta.User(), string(password)) })
		},
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			return evenly(ctx, func() (*ssh.Permissions, error) { return d.publicKey(ctx, meta.User(), key) })
		},
	}
	c.AddHostKey(d.g.key)
	return c
}

// who is somebody who may have an account.
type who struct {
	cluster *store.Cluster // nil if there is none
	name    string
	uid     int
	hash    string // "" without a password
	key     string // root's, "" for none
}

// split takes a user's name apart: account@cluster, or account%cluster.
func split(user string) (account, cluster string, ok bool) {
	i := strings.LastIndexAny(user, "@%")
	if i <= 0 || i == len(user)-1 {
		return "", "", false
	}
	return user[:i], user[i+1:], true
}

// find looks the account and the cluster up, by id or by a name that only one
// cluster has. Whoever is not there has no password and no key.
func (g *Gateway) find(ctx context.Context, user string) (who, error) {
	name, clusterName, ok := split(user)
	w := who{name: name}
	if !ok {
		return w, nil
	}
	tx := g.Store.Read()
	c, err := tx.Cluster(ctx, clusterName)
	if errors.Is(err, store.ErrNotFound) {
		c, err = tx.ClusterNamed(ctx, clusterName)
	}
	if errors.Is(err, store.ErrNotFound) {
		return w, nil
	}
	if err != nil {
		return w, err
	}
	if !c.Wanted {
		return w, nil
	}
	w.cluster = c
	if name == hpc.RootName {
		secrets, err := tx.OpenSecrets(c)
		w.hash, w.key = secrets.Root.PasswordHash, secrets.Root.Key
		return w, err
	}
	account, err := tx.Account(ctx, c.ID, name)
	if errors.Is(err, store.ErrNotFound) {
		w.cluster = nil
		return w, nil
	}
	w.uid, w.hash = account.UID, account.PasswordHash
	return w, err
}

// fails counts a try before it is known to fail: whoever comes in has it back.
// It is an error if the address has failed too often, for whichever account.
func (d *door) fails() error {
	now := time.Now()
	if wait := d.g.failures.wait(d.source, now); wait > 0 {
		message := fmt.Sprintf("Too many failed logins from your address: try again in %s.\n", max(wait.Round(time.Second), time.Second))
		return &ssh.BannerError{Err: errRefused, Message: message}
	}
	d.failed++
	d.g.failures.add(d.source, 1, now)
	return nil
}

func (d *door) password(ctx context.Context, user, password string) (*ssh.Permissions, error) {
	if err := d.fails(); err != nil {
		return nil, err
	}
	w, err := d.g.find(ctx, user)
	if err != nil {
		d.g.Log.Error("cannot look an account up", "err", err)
		return nil, errRefused
	}
	hash, pair := w.hash, user
	if w.cluster != nil {
		pair = w.cluster.ID + "/" + w.name // as for the API, whichever way it is written
	}
	known := w.cluster != nil && hash != ""
	if !known {
		hash = nobody() // so that the answer takes as long as for a known one
	}
	err = d.g.Passwords.Check(ctx, time.Now(), "ssh from "+network(d.source), pair, hash, password)
	var slow *auth.TooManyWrong
	switch {
	case errors.As(err, &slow):
		message := fmt.Sprintf("Too many wrong passwords from your address: try again in %s.\n", slow.After.Round(time.Second))
		return nil, &ssh.BannerError{Err: errRefused, Message: message}
	case err != nil || !known:
		d.refuse(w, "password", err)
		return nil, errRefused
	}
	return w.proven("password"), nil
}

// refuse notes a failed login; a name that is none may be a mistyped password.
func (d *door) refuse(w who, method string, err error) {
	if w.cluster == nil {
		d.g.Log.Info("login refused", "source", d.source, "method", method)
		return
	}
	d.g.Log.Info("login refused", "source", d.source, "method", method, "cluster", w.cluster.ID, "account", w.name, "err", err)
}

func (w who) proven(method string) *ssh.Permissions {
	return &ssh.Permissions{Extensions: map[string]string{
		provenCluster: w.cluster.ID, provenName: w.name, provenMethod: method}}
}

// nobody is the hash of a password that nobody knows.
var nobody = sync.OnceValue(func() string {
	hash, err := auth.HashPassword(auth.RandomText(auth.Base62, 20))
	if err != nil {
		panic(err) // letters and digits always hash
	}
	return hash
})

// publicKey takes a key that the account itself lets in, or the one that root of
// the cluster was given.
func (d *door) publicKey(ctx context.Context, user string, key ssh.PublicKey) (*ssh.Permissions, error) {
	first := d.keysOf != user // a client offers all its keys, one by one
	if first {
		if err := d.fails(); err != nil {
			return nil, err
		}
		d.keysOf, d.keys = user, nil
	}
	w, err := d.g.find(ctx, user)
	if err != nil {
		d.g.Log.Error("cannot look an account up", "err", err)
	}
	if err != nil || w.cluster == nil {
		return nil, errRefused
	}
	if first {
		d.keys = d.g.keysOf(ctx, w)
	}
	for _, have := range d.keys {
		if bytes.Equal(have, key.Marshal()) {
			return w.proven("key " + ssh.FingerprintSHA256(key)), nil
		}
	}
	return nil, errRefused
}

// keysOf are the keys that let somebody in. An account's are in its home, which
// only nodes see.
func (g *Gateway) keysOf(ctx context.Context, w who) [][]byte {
	if w.name == hpc.RootName {
		return parseKeys([]byte(w.key))
	}
	node, err := g.loginNode(ctx, w.cluster.ID)
	if err != nil {
		return nil
	}
	text, err := g.Nodes.Node(node.ID).AuthorizedKeys(ctx, hpc.AccountID{Name: w.name, UID: w.uid})
	if err != nil {
		g.Log.Info("an account's keys are not used", "cluster", w.cluster.ID, "account", w.name, "err", err)
		return nil
	}
	return parseKeys(text)
}

// maxKeys bounds what one account's file can cost.
const maxKeys = 200

// parseKeys reads an authorized_keys file. Lines with options, which would have
// to be kept to, and certificate authorities are left out.
func parseKeys(text []byte) [][]byte {
	var keys [][]byte
	for line := range bytes.Lines(text) {
		key, _, options, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil || len(options) > 0 {
			continue
		}
		if _, isCert := key.(*ssh.Certificate); isCert {
			continue
		}
		if keys = append(keys, key.Marshal()); len(keys) == maxKeys {
			break
		}
	}
	return keys
}
