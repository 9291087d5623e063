package image

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func open(t testing.TB) *Store {
	t.Helper()
	s := Open(t.TempDir(), slog.New(slog.DiscardHandler))
	s.pause = 0
	return s
}

// place puts an image into the store by hand.
func place(t testing.TB, s *Store, dir string, img Image) {
	t.Helper()
	path := filepath.Join(s.dir, dir)
	if err := os.MkdirAll(filepath.Join(path, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeManifest(path, img); err != nil {
		t.Fatal(err)
	}
}

func TestAnImageIsFoundByItsIDAndItsOSTag(t *testing.T) {
	t.Parallel()
	s := open(t)
	if images, err := s.List(); err != nil || len(images) != 0 {
		t.Errorf("an empty store lists %v, %v", images, err)
	}
	old := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	place(t, s, "debian12-ehpc-old", Image{ID: "debian12-ehpc", OSTag: "Debian_12_64", Recipe: "old", Created: old})
	place(t, s, "debian12-ehpc-new", Image{ID: "debian12-ehpc", OSTag: "Debian_12_64", Recipe: "new", Created: old.Add(time.Hour)})
	place(t, s, ".building-1", Image{ID: "half", OSTag: "Half"})
	for _, name := range []string{"debian12-ehpc", "Debian_12_64"} {
		img, err := s.Find(name)
		if err != nil || img.Recipe != "new" || img.Rootfs != filepath.Join(s.dir, "debian12-ehpc-new", "rootfs") {
			t.Errorf("%s is %+v, %v", name, img, err)
		}
	}
	if _, err := s.Find("half"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a half made image is found: %v", err)
	}
	if images, err := s.List(); err != nil || len(images) != 2 {
		t.Errorf("listed %+v, %v", images, err)
	}
}

func TestAnImageThatIsThereIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	s, r := open(t), debian12()
	place(t, s, r.ID+"-"+r.hash(), Image{ID: r.ID, OSTag: r.OSTag, Recipe: r.hash()})
	img, err := s.Ensure(t.Context(), func(line string) { t.Errorf("it is being made: %s", line) })
	if err != nil || img.ID != r.ID {
		t.Errorf("got %+v, %v", img, err)
	}
}

func TestAChangedRecipeIsAnotherImage(t *testing.T) {
	t.Parallel()
	a, b := debian12(), debian12()
	b.Files[0].Text += "\n"
	if a.hash() == b.hash() || a.hash() != debian12().hash() {
		t.Errorf("hashes are %s and %s", a.hash(), b.hash())
	}
}

func TestWhoeverComesSecondWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := lock(t.Context(), dir, func() { t.Error("waits for nobody") })
	if err != nil {
		t.Fatal(err)
	}
	waiting, done := make(chan bool), make(chan error)
	go func() {
		again, err := lock(t.Context(), dir, func() { close(waiting) })
		if err == nil {
			again()
		}
		done <- err
	}()
	<-waiting
	unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := lock(t.Context(), dir, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := lock(ctx, dir, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFinishingTakesIdentityOutAndPutsOurFilesIn(t *testing.T) {
	t.Parallel()
	rootfs := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "kept")
	for _, name := range []string{"etc/munge/munge.key", "etc/ssh/ssh_host_rsa_key", "etc/hostname", "etc/shadow-", "var/log/dpkg.log",
		"var/log/.hidden", "var/lib/apt/lists/x", "etc/apt/apt.conf.d/99mmdebstrap", "dev/null", "tmp/x"} {
		write(t, filepath.Join(rootfs, name), "secret")
	}
	write(t, filepath.Join(rootfs, "etc/shadow"), "root:*:1:::::::\n")
	write(t, filepath.Join(rootfs, "etc/pam.d/sshd"), "session    required     pam_loginuid.so\nsession required pam_limits.so\n")
	r := debian12()
	if err := os.MkdirAll(filepath.Join(rootfs, filepath.Dir(r.Links[0].Path)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(rootfs, "etc/resolv.conf")); err != nil {
		t.Fatal(err)
	}
	if err := finish(rootfs, r); err != nil {
		t.Fatal(err)
	}
	checkIdentity(t, rootfs)
	if text := read1(t, filepath.Join(rootfs, "etc/pam.d/sshd")); text != "session    optional     pam_loginuid.so\nsession required pam_limits.so\n" {
		t.Errorf("sshd's PAM file is %q", text)
	}
	if text := read1(t, outside); text != "kept" {
		t.Errorf("a file of the host was written through a link: %q", text)
	}
}

// checkIdentity looks for what would make two machines the same or tell one
// cluster's secrets to another, and for what a machine needs.
func checkIdentity(t *testing.T, rootfs string) {
	t.Helper()
	for _, pattern := range []string{"etc/munge/*", "etc/ssh/ssh_host_*", "etc/hostname", "etc/*-", "etc/apt/sources.list.d/*",
		"etc/apt/apt.conf.d/99mmdebstrap", "var/lib/apt/lists/*", "dev/*", "tmp/*", "run/*", "var/log/*.log", "var/log/.hidden"} {
		if left, err := filepath.Glob(filepath.Join(rootfs, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left in the image: %v, %v", left, err)
		}
	}
	for _, name := range []string{"etc/machine-id", "etc/resolv.conf", "etc/hosts"} {
		if text := read1(t, filepath.Join(rootfs, name)); text != "" {
			t.Errorf("%s holds %q", name, text)
		}
	}
	for name, mode := range map[string]os.FileMode{"service/agent/run": 0o755, "service/agent/log/run": 0o755, "etc/sudoers.d/wheel": 0o440,
		"usr/sbin/policy-rc.d": 0o755, "ehpc/bin": 0o755, "ehpc/link": 0o755, "ehpc/state": 0o755, "ehpc/claims": 0o755, "var/lib/ehpc": 0o700} {
		if info, err := os.Stat(filepath.Join(rootfs, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if text := read1(t, filepath.Join(rootfs, "etc/nsswitch.conf")); !strings.Contains(text, "passwd:    files extrausers") {
		t.Errorf("name services are %s", text)
	}
}

func read1(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
