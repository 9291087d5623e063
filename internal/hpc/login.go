package hpc

// SSHKeys are how a node proves over ssh which one it is, and whose certificates
// let people in.
type SSHKeys struct {
	CA       []byte // the cluster's authority: a public key as in authorized_keys
	HostKey  []byte // the node's private key, OpenSSH's format
	HostCert []byte // the authority's certificate for it
}

// RootLogin is how root logs in on login nodes, if at all (spec:
// CreateCluster.Password and KeyPairName).
type RootLogin struct {
	PasswordHash string `json:",omitempty"` // crypt(3) format, yescrypt
	Key          string `json:",omitempty"` // a public key as in authorized_keys
}

// RootName is root's name, which no account has.
const RootName = "root"

// Allowed tells whether root may log in at all.
func (r RootLogin) Allowed() bool { return r.PasswordHash != "" || r.Key != "" }
