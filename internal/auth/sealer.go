package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const sealerKeySize = 32

// Sealer encrypts secrets that must be read again, with AES-256-GCM under a key
// that lies in a file of its own, so that a copy of the database alone gives
// nothing away.
type Sealer struct {
	aead cipher.AEAD
	key  []byte
}

// OpenSealer reads the key file, or makes it with a random key and mode 0600. A
// key file that others may read is refused.
func OpenSealer(path string) (*Sealer, error) {
	key, err := readSealerKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeSealerKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the key file %s: %w", path, err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cannot use the key file %s: %w", path, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("cannot use the key file %s: %w", path, err)
	}
	return &Sealer{aead: aead, key: key}, nil
}

// Derive makes a secret of 32 bytes out of the key, always the same for the same
// purpose, from which neither the key nor another purpose's secret can be told.
func (s *Sealer) Derive(purpose string) []byte {
	secret, err := hkdf.Key(sha256.New, s.key, nil, purpose, 32)
	if err != nil {
		panic(err) // only more than 255 hashes' length is refused
	}
	return secret
}

// Seal encrypts plain into text. Open wants the same about: give what the secret
// belongs to, such as its row's id, so that rows cannot be swapped.
func (s *Sealer) Seal(plain []byte, about string) (string, error) {
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(about))), nil
}

// Open decrypts what Seal made.
func (s *Sealer) Open(sealed, about string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, fmt.Errorf("cannot open the sealed secret of %q: %w", about, err)
	}
	plain, err := s.aead.Open(nil, nil, raw, []byte(about))
	if err != nil {
		return nil, fmt.Errorf("cannot open the sealed secret of %q: %w", about, err)
	}
	return plain, nil
}

func readSealerKey(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("its mode is %04o: others must not read it (chmod 600)", info.Mode().Perm())
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(key) != sealerKeySize {
		return nil, fmt.Errorf("it holds %d bytes instead of %d", len(key), sealerKeySize)
	}
	return key, nil
}

// makeSealerKey writes the key whole or not at all; of two processes that race
// the first one's key holds.
func makeSealerKey(path string) ([]byte, error) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp.Name())
	defer temp.Close()
	key := make([]byte, sealerKeySize)
	rand.Read(key)
	if _, err := temp.Write(key); err != nil {
		return nil, err
	}
	if err := temp.Sync(); err != nil {
		return nil, err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	return readSealerKey(path)
}

// syncDir makes a new name in a directory survive a power cut.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
