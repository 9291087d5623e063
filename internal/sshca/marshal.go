package sshca

import (
	"crypto/ed25519"
	"encoding/pem"

	"golang.org/x/crypto/ssh"
)

// marshal writes a private key in OpenSSH's format without a passphrase. Unlike
// ssh.MarshalPrivateKey it writes the same text every time: a node is set up
// again when its files differ.
func marshal(key ed25519.PrivateKey) []byte {
	public := key.Public().(ed25519.PublicKey)
	block := ssh.Marshal(struct {
		Check1, Check2 uint32 // equal; they only tell a wrong passphrase
		Type           string
		Public         []byte
		Private        []byte
		Comment        string
	}{Type: ssh.KeyAlgoED25519, Public: public, Private: key})
	for pad := byte(1); len(block)%8 != 0; pad++ {
		block = append(block, pad)
	}
	wire := ssh.Marshal(struct {
		Type string
		Key  []byte
	}{ssh.KeyAlgoED25519, public})
	text := append([]byte("openssh-key-v1\x00"), ssh.Marshal(struct {
		Cipher, KDF, Options string
		Keys                 uint32
		Public               []byte
		Private              []byte
	}{"none", "none", "", 1, wire, block})...)
	return pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: text})
}
