package server

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCertificates(t *testing.T) {
	t.Parallel()
	var told bytes.Buffer
	log, now := slog.New(slog.NewTextHandler(&told, nil)), time.Now()
	makeFor := func(t *testing.T, dir string, hosts ...string) {
		t.Helper()
		if err := makeSelfSigned(filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key"), hosts, now); err != nil {
			t.Fatal(err)
		}
	}
	given := func(t *testing.T) (*Certificates, string) {
		t.Helper()
		dir := t.TempDir()
		makeFor(t, dir, "first.example.org")
		c, err := Given(filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key"), log)
		if err != nil {
			t.Fatal(err)
		}
		told.Reset()
		return c, dir
	}
	names := func(c *Certificates) string { return strings.Join(c.at(now).Leaf.DNSNames, " ") }

	t.Run("files that change are served from the next handshake on", func(t *testing.T) {
		c, dir := given(t)
		before := names(c)
		makeFor(t, dir, "second.example.org")
		if after := names(c); before != "first.example.org" || after != "second.example.org" {
			t.Errorf("first for %s, then for %s", before, after)
		}
		told.Reset()
		if names(c); told.Len() > 0 {
			t.Errorf("files that did not change were read again: %s", told.String())
		}
	})
	t.Run("a broken new file is told once, and the one before is served on", func(t *testing.T) {
		c, dir := given(t)
		if err := os.WriteFile(filepath.Join(dir, "a.crt"), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := names(c); got != "first.example.org" {
				t.Errorf("served for %s", got)
			}
		}
		if n := strings.Count(told.String(), "the one before is served on"); n != 1 || !strings.Contains(told.String(), "a.crt") {
			t.Errorf("told %d times: %s", n, told.String())
		}
		makeFor(t, dir, "second.example.org")
		if got := names(c); got != "second.example.org" {
			t.Errorf("after it was mended it is served for %s", got)
		}
	})
	t.Run("files that are away for a moment change nothing", func(t *testing.T) {
		c, dir := given(t)
		if err := os.Remove(filepath.Join(dir, "a.crt")); err != nil {
			t.Fatal(err)
		}
		if got := names(c); got != "first.example.org" || told.Len() > 0 {
			t.Errorf("served for %s, told %s", got, told.String())
		}
	})
	t.Run("who asks for it has the files read though they look the same", func(t *testing.T) {
		c, _ := given(t)
		c.Reload()
		if !strings.Contains(told.String(), "certificate read again") {
			t.Errorf("told %s", told.String())
		}
	})
	t.Run("a certificate of ours that lacks a name is made anew, and told", func(t *testing.T) {
		dir := t.TempDir()
		serve := func(hosts ...string) *Certificates {
			t.Helper()
			c, err := selfSigned(dir, hosts, log, now)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		first := serve()
		told.Reset()
		second := serve("hpc.example.org", "192.0.2.7", "fd00::7")
		for _, host := range []string{"localhost", "127.0.0.1", "::1", "hpc.example.org", "192.0.2.7", "fd00::7"} {
			if err := second.at(now).Leaf.VerifyHostname(host); err != nil {
				t.Error(err)
			}
		}
		if !strings.Contains(told.String(), "does not name hpc.example.org") {
			t.Errorf("told %s", told.String())
		}
		if third := serve("hpc.example.org"); !bytes.Equal(third.at(now).Certificate[0], second.at(now).Certificate[0]) {
			t.Error("a certificate with all names was made anew")
		}
		if bytes.Equal(first.current.Certificate[0], second.current.Certificate[0]) {
			t.Error("the first was kept")
		}
	})
	t.Run("a service that runs on makes its own anew before it ends", func(t *testing.T) {
		c, err := selfSigned(t.TempDir(), nil, log, now)
		if err != nil {
			t.Fatal(err)
		}
		later := now.Add(certificateLife - renewBefore + time.Minute)
		if !c.at(later).Leaf.NotAfter.After(later.Add(renewBefore)) {
			t.Error("it is served until it has ended")
		}
	})
}
