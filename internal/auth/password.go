package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-crypt/crypt"
	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/scrypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
)

// The cost of a yescrypt hash: 8 MiB and about 20 ms, libxcrypt's "j8T".
const (
	yescryptLogN  = 11
	yescryptBlock = 32
)

// HashPassword returns a yescrypt hash as crypt(3) writes it, fit for a shadow
// file.
func HashPassword(password string) (string, error) {
	if strings.IndexByte(password, 0) >= 0 {
		return "", errors.New("cannot hash the password: it holds a NUL byte")
	}
	hasher, err := scrypt.NewYescrypt(scrypt.WithLN(yescryptLogN), scrypt.WithR(yescryptBlock), scrypt.WithP(1))
	if err != nil {
		return "", fmt.Errorf("cannot hash the password: %w", err)
	}
	digest, err := hasher.Hash(password)
	if err != nil {
		return "", fmt.Errorf("cannot hash the password: %w", err)
	}
	return digest.Encode(), nil
}

// CheckPassword tells whether a yescrypt or SHA-512 crypt(3) hash is the
// password's. It takes about 20 ms of one core; Passwords bounds how much of
// that callers can ask for.
func CheckPassword(hash, password string) (bool, error) {
	decoder := crypt.NewDecoder()
	for _, register := range []func(algorithm.DecoderRegister) error{scrypt.RegisterDecoderYescrypt, shacrypt.RegisterDecoder} {
		if err := register(decoder); err != nil {
			return false, fmt.Errorf("cannot check the password: %w", err)
		}
	}
	digest, err := decoder.Decode(hash)
	if err != nil {
		return false, fmt.Errorf("cannot check the password: the stored hash is unreadable: %w", err)
	}
	ok, err := digest.MatchAdvanced(password)
	if err != nil {
		return false, fmt.Errorf("cannot check the password: %w", err)
	}
	return ok, nil
}
