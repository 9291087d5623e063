package auth

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openSealer(t *testing.T, path string) *Sealer {
	t.Helper()
	s, err := OpenSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatWasSealedOpensAfterARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.key")
	for _, secret := range [][]byte{[]byte("s3cret"), {}, bytes.Repeat([]byte{0xff}, 5000)} {
		sealed, err := openSealer(t, path).Seal(secret, "row 1")
		if err != nil {
			t.Fatal(err)
		}
		plain, err := openSealer(t, path).Open(sealed, "row 1")
		if err != nil || !bytes.Equal(plain, secret) {
			t.Errorf("got %q, %v", plain, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file's mode is %v, %v", info.Mode(), err)
	}
	if names, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(names) != 1 {
		t.Errorf("beside the key file there is %v", names)
	}
}

func TestASealedSecretIsBoundToItsRowAndKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSealer(t, filepath.Join(dir, "a"))
	sealed, err := s.Seal([]byte("s3cret"), "row 1")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, base64.StdEncoding.EncodeToString([]byte("s3cret"))) {
		t.Error("the secret is readable")
	}
	if again, _ := s.Seal([]byte("s3cret"), "row 1"); again == sealed {
		t.Error("sealing twice gives the same text")
	}
	bad := map[string]func() ([]byte, error){
		"another row":   func() ([]byte, error) { return s.Open(sealed, "row 2") },
		"another key":   func() ([]byte, error) { return openSealer(t, filepath.Join(dir, "b")).Open(sealed, "row 1") },
		"a changed bit": func() ([]byte, error) { return s.Open("A"+sealed[1:], "row 1") },
		"no base64":     func() ([]byte, error) { return s.Open("§", "row 1") },
		"nothing":       func() ([]byte, error) { return s.Open("", "row 1") },
	}
	if sealed[0] == 'A' {
		bad["a changed bit"] = func() ([]byte, error) { return s.Open("B"+sealed[1:], "row 1") }
	}
	for name, open := range bad {
		if plain, err := open(); err == nil {
			t.Errorf("with %s it opens to %q", name, plain)
		}
	}
}

func TestABadKeyFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.key")
	openSealer(t, path)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSealer(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key file that the group may read: %v", err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSealer(path); err == nil || !strings.Contains(err.Error(), "5 bytes") {
		t.Errorf("a short key file: %v", err)
	}
	if _, err := OpenSealer(filepath.Join(path, "no", "dir")); err == nil {
		t.Error("a key file in no directory was made")
	}
}
