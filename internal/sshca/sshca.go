// Package sshca makes the ssh keys and certificates of the service: each cluster
// has an authority of its own, which vouches for its nodes and, for a minute at
// a time, for the people who log in. All keys that must be the same again come
// out of one secret, so that none is stored.
package sshca

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"ehpc/internal/hpc"
)

// Authority makes keys and certificates.
type Authority struct {
	derive func(purpose string) []byte

	mu    sync.Mutex
	hosts map[[3]string]hpc.SSHKeys // made before, since the loops ask all the time
}

// maxHosts bounds what is remembered of nodes.
const maxHosts = 4096

// New makes an authority whose keys come from derive, which gives 32 secret
// bytes for a purpose, always the same.
func New(derive func(purpose string) []byte) *Authority {
	return &Authority{derive: derive, hosts: map[[3]string]hpc.SSHKeys{}}
}

// GatewayKey is the host key of the service's own ssh server.
func (a *Authority) GatewayKey() ssh.Signer { return a.signer("ssh gateway") }

func (a *Authority) cluster(id string) ssh.Signer { return a.signer("ssh authority of " + id) }

func (a *Authority) key(purpose string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(a.derive(purpose))
}

func (a *Authority) signer(purpose string) ssh.Signer {
	signer, err := ssh.NewSignerFromKey(a.key(purpose))
	if err != nil {
		panic(err) // every ed25519 key makes a signer
	}
	return signer
}

// Host returns a node's keys, the same every time: a node that is made anew is
// recognised by who knew it.
func (a *Authority) Host(clusterID, nodeID, hostname string) (hpc.SSHKeys, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	of := [3]string{clusterID, nodeID, hostname}
	if keys, known := a.hosts[of]; known {
		return keys, nil
	}
	keys, err := a.makeHost(clusterID, nodeID, hostname)
	if err != nil {
		return keys, fmt.Errorf("cannot make the ssh keys of node %s: %w", nodeID, err)
	}
	if len(a.hosts) >= maxHosts {
		clear(a.hosts)
	}
	a.hosts[of] = keys
	return keys, nil
}

func (a *Authority) makeHost(clusterID, nodeID, hostname string) (hpc.SSHKeys, error) {
	purpose := "ssh host " + nodeID + " of " + clusterID
	key := a.key(purpose)
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return hpc.SSHKeys{}, err
	}
	authority := a.cluster(clusterID)
	// It names a node, whose row decides how long it means anything.
	cert := &ssh.Certificate{Key: public, CertType: ssh.HostCert, KeyId: nodeID,
		ValidPrincipals: []string{nodeID, hostname}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(bytes.NewReader(a.derive(purpose+", nonce for "+hostname)), authority); err != nil {
		return hpc.SSHKeys{}, err
	}
	return hpc.SSHKeys{CA: ssh.MarshalAuthorizedKey(authority.PublicKey()),
		HostKey: marshal(key), HostCert: ssh.MarshalAuthorizedKey(cert)}, nil
}

// Validity of a certificate with which somebody logs in.
const (
	userBefore = 30 * time.Second // clocks differ
	userAfter  = time.Minute      // a busy node takes its time
)

// User makes a fresh key and a certificate that lets it in on the cluster's
// nodes as the account, from the node itself and for a minute.
func (a *Authority) User(clusterID, account, keyID string, now time.Time) (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, err
	}
	var serial [8]byte
	rand.Read(serial[:])
	cert := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.UserCert, KeyId: keyID,
		Serial: binary.BigEndian.Uint64(serial[:]), ValidPrincipals: []string{account},
		ValidAfter: uint64(now.Add(-userBefore).Unix()), ValidBefore: uint64(now.Add(userAfter).Unix()),
		Permissions: ssh.Permissions{
			CriticalOptions: map[string]string{"source-address": "127.0.0.1/32"},
			Extensions:      map[string]string{"permit-pty": "", "permit-user-rc": ""},
		}}
	if err := cert.SignCert(rand.Reader, a.cluster(clusterID)); err != nil {
		return nil, fmt.Errorf("cannot sign a certificate for %s: %w", account, err)
	}
	return ssh.NewCertSigner(cert, signer)
}

// CheckHost accepts the node's certificate alone; the address that is dialled
// has to be Address(nodeID).
func (a *Authority) CheckHost(clusterID string) ssh.HostKeyCallback {
	authority := a.cluster(clusterID).PublicKey().Marshal()
	checker := ssh.CertChecker{IsHostAuthority: func(key ssh.PublicKey, _ string) bool {
		return bytes.Equal(key.Marshal(), authority)
	}}
	return checker.CheckHostKey
}

// Address names a node to CheckHost.
func Address(nodeID string) string { return nodeID + ":22" }
