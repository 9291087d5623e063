package sshca

import (
	"bytes"
	"crypto/sha256"
	"net"
	"reflect"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func derive(secret string) func(string) []byte {
	return func(purpose string) []byte {
		sum := sha256.Sum256([]byte(secret + purpose))
		return sum[:]
	}
}

func TestANodesKeysAreTheSameAfterARestart(t *testing.T) {
	t.Parallel()
	keys, err := New(derive("a")).Host("ehpc-1", "i-1", "login0")
	again, err2 := New(derive("a")).Host("ehpc-1", "i-1", "login0")
	if err != nil || err2 != nil || !reflect.DeepEqual(keys, again) {
		t.Errorf("they differ: %v, %v", err, err2)
	}
	other, err := New(derive("b")).Host("ehpc-1", "i-1", "login0")
	if err != nil || bytes.Equal(keys.HostKey, other.HostKey) || bytes.Equal(keys.CA, other.CA) {
		t.Errorf("another secret makes the same keys, %v", err)
	}
	signer, err := ssh.ParsePrivateKey(keys.HostKey)
	if err != nil {
		t.Fatalf("the private key cannot be read: %v", err)
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(keys.HostCert)
	if err != nil || !bytes.Equal(public.(*ssh.Certificate).Key.Marshal(), signer.PublicKey().Marshal()) {
		t.Errorf("the certificate is another key's: %v", err)
	}
}

func TestOnlyTheNodeItselfIsTakenForIt(t *testing.T) {
	t.Parallel()
	a := New(derive("a"))
	cert := func(a *Authority, cluster, node string) ssh.PublicKey {
		keys, err := a.Host(cluster, node, "login0")
		if err != nil {
			t.Fatal(err)
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey(keys.HostCert)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	check := func(key ssh.PublicKey) error {
		return a.CheckHost("ehpc-1")(Address("i-1"), &net.TCPAddr{}, key)
	}
	if err := check(cert(a, "ehpc-1", "i-1")); err != nil {
		t.Errorf("the node is refused: %v", err)
	}
	for name, key := range map[string]ssh.PublicKey{
		"another node":                       cert(a, "ehpc-1", "i-2"),
		"a node of another cluster":          cert(a, "ehpc-2", "i-1"),
		"a node of another service":          cert(New(derive("b")), "ehpc-1", "i-1"),
		"the node's key without certificate": cert(a, "ehpc-1", "i-1").(*ssh.Certificate).Key,
	} {
		if check(key) == nil {
			t.Errorf("%s is taken for it", name)
		}
	}
}

func TestACertificateLetsOneAccountInForAMinute(t *testing.T) {
	t.Parallel()
	a, now := New(derive("a")), time.Unix(1_800_000_000, 0)
	signer, err := a.User("ehpc-1", "lovelace", "who", now)
	if err != nil {
		t.Fatal(err)
	}
	checker := ssh.CertChecker{SupportedCriticalOptions: []string{"source-address"}, IsUserAuthority: func(key ssh.PublicKey) bool {
		return bytes.Equal(key.Marshal(), a.cluster("ehpc-1").PublicKey().Marshal())
	}}
	cert := signer.PublicKey().(*ssh.Certificate)
	for _, c := range []struct {
		name, account string
		at            time.Time
		good          bool
	}{
		{"the account, now", "lovelace", now, true},
		{"another account", "root", now, false},
		{"a minute later", "lovelace", now.Add(time.Minute), false},
		{"a minute before", "lovelace", now.Add(-time.Minute), false},
	} {
		checker.Clock = func() time.Time { return c.at }
		if err := checker.CheckCert(c.account, cert); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if cert.CriticalOptions["source-address"] != "127.0.0.1/32" {
		t.Errorf("it is good from elsewhere too: %v", cert.CriticalOptions)
	}
	if !checker.IsUserAuthority(cert.SignatureKey) {
		t.Error("it is signed by somebody else")
	}
}
