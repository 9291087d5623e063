package server

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestACertificateIsKeptUntilItsLastMonth(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	leaf := func(at time.Time) []byte {
		t.Helper()
		certificates, err := selfSigned(dir, nil, slog.New(slog.DiscardHandler), at)
		if err != nil {
			t.Fatal(err)
		}
		return certificates.at(at).Certificate[0]
	}
	first := leaf(now)
	if !bytes.Equal(first, leaf(now.Add(certificateLife-renewBefore-time.Minute))) {
		t.Error("a good certificate was replaced")
	}
	second := leaf(now.Add(certificateLife - renewBefore + time.Minute))
	if bytes.Equal(first, second) {
		t.Error("a certificate in its last month was kept")
	}
	if err := os.WriteFile(filepath.Join(dir, CertificateFile), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(second, leaf(now)) {
		t.Error("a damaged certificate was kept")
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("the directory holds %v", files)
	}
	if _, err := SelfSigned(filepath.Join(dir, "missing"), nil, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a certificate was made in no directory")
	}
}
