package auth

import (
	"context"
	"crypto/rand"
	"errors"
)

// Key is an access key.
type Key struct {
	ID      string
	Secret  string
	Owner   string // who the key belongs to
	Enabled bool
}

// ErrUnknownKey is what a KeySource answers for an id that it does not have.
var ErrUnknownKey = errors.New("no such access key")

// KeySource is where access keys are looked up.
type KeySource interface {
	// SecretOf returns the key of that id, disabled ones included, or an error
	// that is ErrUnknownKey.
	SecretOf(ctx context.Context, accessKeyID string) (Key, error)
}

const (
	base62       = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	keyIDPrefix  = "LTAI"
	keyIDLength  = 20 // after the prefix
	secretLength = 30
)

// NewKey makes an enabled key: an id of 24 characters that starts with LTAI and
// a secret of 30 letters and digits.
func NewKey(owner string) Key {
	return Key{
		ID:      keyIDPrefix + randomText(keyIDLength),
		Secret:  randomText(secretLength),
		Owner:   owner,
		Enabled: true,
	}
}

// randomText returns n letters and digits, each equally likely.
func randomText(n int) string {
	const fair = 256 / len(base62) * len(base62)
	text := make([]byte, 0, n)
	var pool [64]byte
	for {
		rand.Read(pool[:])
		for _, b := range pool {
			if int(b) >= fair {
				continue
			}
			text = append(text, base62[int(b)%len(base62)])
			if len(text) == n {
				return string(text)
			}
		}
	}
}
