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
	keyIDPrefix  = "LTAI"
	keyIDLength  = 20 // after the prefix
	secretLength = 30
)

// NewKey makes an enabled key: an id of 24 characters that starts with LTAI and
// a secret of 30 letters and digits.
func NewKey(owner string) Key {
	return Key{
		ID:      keyIDPrefix + RandomText(Base62, keyIDLength),
		Secret:  RandomText(Base62, secretLength),
		Owner:   owner,
		Enabled: true,
	}
}

// Alphabets of RandomText.
const (
	LowerDigits = "0123456789abcdefghijklmnopqrstuvwxyz"
	Base62      = LowerDigits + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// RandomText returns n characters of an alphabet of at most 256 bytes, each
// equally likely and none to be guessed.
func RandomText(alphabet string, n int) string {
	fair := 256 / len(alphabet) * len(alphabet)
	text := make([]byte, 0, n)
	var pool [64]byte
	for {
		rand.Read(pool[:])
		for _, b := range pool {
			if int(b) >= fair {
				continue
			}
			text = append(text, alphabet[int(b)%len(alphabet)])
			if len(text) == n {
				return string(text)
			}
		}
	}
}
