package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// data is a data directory, and how its store is copied.
func data(t *testing.T) (dir string, copy func(context.Context, string) error) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{Store: "live", "sealer.key": "key", "credentials.env": "cred", "lock": ""} {
		put(t, dir, name, text)
	}
	return dir, func(_ context.Context, to string) error { return os.WriteFile(to, []byte("copied"), 0o644) }
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func fine(string) error { return nil }

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func written(t *testing.T) (file string) {
	t.Helper()
	dir, copy := data(t)
	file = filepath.Join(t.TempDir(), "b.tar.gz")
	if err := Write(t.Context(), file, dir, copy); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWhatWasBackedUpIsRestored(t *testing.T) {
	t.Parallel()
	file, dir := written(t), t.TempDir()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || names(t, filepath.Dir(file)) != "b.tar.gz" {
		t.Errorf("%v, %v, beside it %s", info.Mode(), err, names(t, filepath.Dir(file)))
	}
	put(t, dir, "sealer.key", "another")
	made, err := Restore(file, dir, fine)
	if err != nil || time.Since(made) > time.Minute {
		t.Fatalf("made %s, %v", made, err)
	}
	for name, want := range map[string]string{Store: "copied", "sealer.key": "key", "credentials.env": "cred",
		"sealer.key.before-restore": "another", Marker: made.UTC().Format(time.RFC3339) + "\n"} {
		if got := content(t, dir, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if got := names(t, dir); strings.Contains(got, unpacked) {
		t.Errorf("there is %s", got)
	}
}

func TestABackupReplacesNothing(t *testing.T) {
	t.Parallel()
	dir, copy := data(t)
	at := t.TempDir()
	put(t, at, "b", "precious")
	if err := Write(t.Context(), filepath.Join(at, "b"), dir, copy); !errors.Is(err, fs.ErrExist) {
		t.Errorf("err = %v", err)
	}
	meanwhile := func(ctx context.Context, to string) error {
		put(t, at, "c", "precious")
		return copy(ctx, to)
	}
	if err := Write(t.Context(), filepath.Join(at, "c"), dir, meanwhile); !errors.Is(err, fs.ErrExist) {
		t.Errorf("err = %v", err)
	}
	if content(t, at, "b") != "precious" || content(t, at, "c") != "precious" || names(t, at) != "b c" {
		t.Errorf("there is %s", names(t, at))
	}
}

func TestABackupThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	dir, copy := data(t)
	at := t.TempDir()
	no := errors.New("no")
	if err := Write(t.Context(), filepath.Join(at, "b"), dir, func(context.Context, string) error { return no }); !errors.Is(err, no) {
		t.Errorf("err = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, filepath.Join(at, "b"), dir, copy); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "sealer.key")); err != nil {
		t.Fatal(err)
	}
	if err := Write(t.Context(), filepath.Join(at, "b"), dir, copy); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the key: err = %v", err)
	}
	if got := names(t, at); got != "" {
		t.Errorf("there is %s", got)
	}
}

func TestAFullDiskIsSaidAndLeavesNothing(t *testing.T) {
	t.Parallel()
	at := t.TempDir()
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=64k"); err != nil {
		if os.Getenv("EHPC_TEST_NO_SKIP") == "1" {
			t.Fatal(err)
		}
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
	dir, copy := data(t)
	put(t, dir, "credentials.env", random(512<<10))
	whole := func(ctx context.Context, to string) error { return os.WriteFile(to, []byte(random(512<<10)), 0o600) }
	for name, copy := range map[string]func(context.Context, string) error{"at the copy": whole, "at the archive": copy} {
		if err := Write(t.Context(), filepath.Join(at, "b"), dir, copy); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: err = %v", name, err)
		}
		if got := names(t, at); got != "" {
			t.Errorf("%s: there is %s", name, got)
		}
	}
	file := written(t)
	if err := os.WriteFile(filepath.Join(at, "fill"), make([]byte, 60<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(file, at, fine); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a restoration: err = %v", err)
	}
	if got := names(t, at); got != "fill" {
		t.Errorf("after a restoration there is %s", got)
	}
}

// random is text that does not get smaller.
func random(n int) string {
	var b bytes.Buffer
	for x := uint32(1); b.Len() < n; x = x*1664525 + 1013904223 {
		b.WriteByte(byte(x >> 24))
	}
	return b.String()
}

func TestAStoreThatIsNotReadyIsNotPutInPlace(t *testing.T) {
	t.Parallel()
	dir, no := t.TempDir(), errors.New("no")
	var saw []byte
	_, err := Restore(written(t), dir, func(store string) (err error) {
		if saw, err = os.ReadFile(store); err != nil {
			return err
		}
		return no
	})
	if !errors.Is(err, no) || string(saw) != "copied" || names(t, dir) != "" {
		t.Errorf("err = %v, it saw %q, there is %s", err, saw, names(t, dir))
	}
}

func TestNothingIsRestoredOverAStore(t *testing.T) {
	t.Parallel()
	file := written(t)
	for _, name := range []string{Store, Store + "-wal", Store + "-shm"} {
		dir := t.TempDir()
		put(t, dir, name, "live")
		if _, err := Restore(file, dir, fine); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("err = %v", err)
		}
		if got := names(t, dir); got != name {
			t.Errorf("there is %s", got)
		}
	}
}

func TestWhatIsNoBackupIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(written(t))
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6] ^= 1 // the checksum
	for name, text := range map[string][]byte{
		"nothing":             {},
		"another file":        []byte("#!/bin/sh"),
		"half of one":         good[:len(good)/2],
		"one without its end": good[:len(good)-9],
		"one that rotted":     flipped,
		"a path":              archive(t, tar.Header{Name: "../ehpc.db", Typeflag: tar.TypeReg}),
		"a link":              archive(t, tar.Header{Name: Store, Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}),
		"a stranger":          archive(t, tar.Header{Name: "bin/sh", Typeflag: tar.TypeReg}),
		"a store alone":       archive(t, tar.Header{Name: Store, Typeflag: tar.TypeReg}),
		"a store twice":       archive(t, tar.Header{Name: Store, Typeflag: tar.TypeReg}, tar.Header{Name: Store, Typeflag: tar.TypeReg}),
		"a huge key":          archive(t, tar.Header{Name: "sealer.key", Typeflag: tar.TypeReg, Size: 1 << 30}),
	} {
		t.Run(name, func(t *testing.T) {
			dir, at := t.TempDir(), t.TempDir()
			put(t, at, "b", string(text))
			if _, err := Restore(filepath.Join(at, "b"), dir, fine); err == nil {
				t.Error("it was restored")
			}
			if got := names(t, dir); got != "" {
				t.Errorf("there is %s", got)
			}
		})
	}
}

func archive(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	out := tar.NewWriter(zip)
	for _, h := range headers {
		if err := out.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	_ = out.Flush() // one has a size that was promised and not written
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
