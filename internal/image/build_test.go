package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// needRoot skips what only root can do, or fails where nothing may be skipped.
func needRoot(t testing.TB) {
	t.Helper()
	err := checkHost()
	if err == nil {
		return
	}
	if os.Getenv("EHPC_TEST_NO_SKIP") == "1" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// pretend puts a mmdebstrap of the test's before the real one.
func pretend(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mmdebstrap"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// succeed makes a small root file system where mmdebstrap would.
const succeed = `for arg; do target=$last; last=$arg; done
mkdir -p $target/etc/munge $target/var/lib/dpkg $target/usr/lib/x86_64-linux-gnu/pmix2/lib $target/usr/lib/aarch64-linux-gnu/pmix2/lib
echo key > $target/etc/munge/munge.key
printf 'Package: slurmd\nStatus: install ok installed\nVersion: 22.05\nArchitecture: all\nMaintainer: x\nDescription: x\n' > $target/var/lib/dpkg/status
echo 'I: installing'
`

func TestAnImageIsMadeWholeAndRecorded(t *testing.T) {
	needRoot(t)
	pretend(t, succeed)
	s := open(t)
	write(t, filepath.Join(s.dir, ".building-killed", "rootfs", "x"), "left by a maker that was killed")
	var lines []string
	img, err := s.Ensure(t.Context(), func(line string) { lines = append(lines, line) })
	if err != nil {
		t.Fatal(err)
	}
	if img.ID != "debian12-ehpc" || img.OSTag != "Debian_12_64" || img.Packages["slurmd"] != "22.05" || img.Created.IsZero() {
		t.Errorf("made %+v", img)
	}
	if len(lines) == 0 || lines[0] != "installing" {
		t.Errorf("progress was %q", lines)
	}
	if _, err := os.Stat(filepath.Join(img.Rootfs, "etc/munge/munge.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key is in the image: %v", err)
	}
	onlyImages(t, s, 1)
}

// onlyImages checks that nothing half made is left.
func onlyImages(t *testing.T, s *Store, want int) {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	images := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".building") {
			t.Errorf("left %s", e.Name())
		} else if e.IsDir() {
			images++
		}
	}
	if images != want {
		t.Errorf("there are %d images, want %d", images, want)
	}
}

func TestAnArchiveWithABadMomentIsAskedAgain(t *testing.T) {
	needRoot(t)
	marker := filepath.Join(t.TempDir(), "failed-once")
	pretend(t, fmt.Sprintf("if ! test -e %[1]s; then touch %[1]s; echo 'E: connection reset'; exit 1; fi\n", marker)+succeed)
	if _, err := open(t).Ensure(t.Context(), func(string) {}); err != nil {
		t.Error(err)
	}
}

func TestAFailureEndsWithWhatWasPrinted(t *testing.T) {
	needRoot(t)
	pretend(t, "seq 1000; echo 'E: cannot fetch the thing' >&2; exit 3")
	s := open(t)
	_, err := s.Ensure(t.Context(), func(string) {})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot make image debian12-ehpc: mmdebstrap of bookworm failed: exit status 3") ||
		!strings.HasSuffix(err.Error(), "\n1000\nE: cannot fetch the thing") {
		t.Errorf("got %v", err)
	}
	onlyImages(t, s, 0)
}

func TestACancelledMakingStopsAndLeavesNothing(t *testing.T) {
	needRoot(t)
	pretend(t, "echo 'I: begun'; exec sleep 1000")
	s := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := s.Ensure(ctx, func(string) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	onlyImages(t, s, 0)
}

func TestAHostWithoutMmdebstrapIsToldWhatToInstall(t *testing.T) {
	needRoot(t)
	t.Setenv("PATH", t.TempDir())
	_, err := open(t).Ensure(t.Context(), func(string) {})
	if !errors.Is(err, ErrHost) || !strings.Contains(err.Error(), "apt-get install mmdebstrap") {
		t.Errorf("got %v", err)
	}
}

func TestTheRealImageHasNoIdentityAndWhatNodesNeed(t *testing.T) {
	t.Parallel()
	needRoot(t)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	img, err := Open(DefaultDir, slog.New(slog.DiscardHandler)).Ensure(ctx, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	checkIdentity(t, img.Rootfs)
	for _, name := range []string{"slurmd", "slurmctld", "munge", "openssh-server", "libnss-extrausers", "s6", "sudo", "openmpi-bin", "lammps"} {
		if img.Packages[name] == "" {
			t.Errorf("package %s is missing", name)
		}
	}
	for _, name := range []string{"usr/bin/s6-svscan", "usr/bin/lmp", "usr/bin/mpirun", "usr/sbin/slurmd",
		debian12().Links[0].Path, "usr/lib/" + libraryDir() + "/slurm-wlm/job_submit_lua.so", "usr/share/doc/slurmd/copyright"} {
		if _, err := os.Lstat(filepath.Join(img.Rootfs, name)); err != nil { // many are links that hold inside alone
			t.Error(err)
		}
	}
	if text := read1(t, filepath.Join(img.Rootfs, "etc/pam.d/sshd")); strings.Contains(text, "required     pam_loginuid") {
		t.Error("a login needs a fresh login uid")
	}
}
