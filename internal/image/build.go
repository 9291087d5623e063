package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrHost: the host lacks something for making images; the wrapping text says
// what to install or how to run.
var ErrHost = errors.New("this host cannot make node images")

// Ensure returns the default image and makes it first if it is not there, or
// if its recipe has changed. progress is called with short lines for people to
// read. Only one process makes it; others wait for it.
func (s *Store) Ensure(ctx context.Context, progress func(string)) (Image, error) {
	r := debian12()
	final := filepath.Join(s.dir, r.ID+"-"+r.hash())
	if img, err := read(final); err == nil {
		return img, nil
	}
	if err := checkHost(); err != nil {
		return Image{}, err
	}
	// Closed to others: an image holds set-uid programs that age.
	if err := os.MkdirAll(filepath.Dir(s.dir), 0o755); err != nil {
		return Image{}, fmt.Errorf("cannot make the image directory: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return Image{}, fmt.Errorf("cannot make the image directory: %w", err)
	}
	unlock, err := lock(ctx, s.dir, func() { progress("another process is making the image, waiting for it") })
	if err != nil {
		return Image{}, fmt.Errorf("cannot make image %s: %w", r.ID, err)
	}
	defer unlock()
	if img, err := read(final); err == nil {
		return img, nil
	}
	if err := s.sweep(); err != nil {
		return Image{}, err
	}
	if err := s.build(ctx, r, final, progress); err != nil {
		return Image{}, fmt.Errorf("cannot make image %s: %w", r.ID, err)
	}
	s.log.Info("image made", "image", r.ID, "recipe", r.hash())
	return read(final)
}

func checkHost() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: making an image needs root, run this with sudo", ErrHost)
	}
	for _, program := range []string{"mmdebstrap", "dpkg-query"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: %s is missing, run: apt-get install mmdebstrap", ErrHost, program)
		}
	}
	return nil
}

// sweep removes what makers left that were killed. It needs the lock.
func (s *Store) sweep() error {
	left, err := filepath.Glob(filepath.Join(s.dir, ".building-*"))
	if err != nil {
		return err
	}
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("cannot remove a half made image: %w", err)
		}
	}
	return nil
}

// build makes the image aside and renames it into place when it is whole.
func (s *Store) build(ctx context.Context, r recipe, final string, progress func(string)) error {
	tmp, err := os.MkdirTemp(s.dir, ".building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	rootfs := filepath.Join(tmp, "rootfs")
	if err := s.bootstrap(ctx, r, tmp, rootfs, progress); err != nil {
		return err
	}
	progress("removing identity and keys")
	if err := finish(rootfs, r); err != nil {
		return fmt.Errorf("cannot finish it: %w", err)
	}
	packages, err := installed(ctx, rootfs)
	if err != nil {
		return err
	}
	if err := removeAllBut(tmp, "rootfs"); err != nil {
		return err
	}
	img := Image{ID: r.ID, OSTag: r.OSTag, Recipe: r.hash(), Created: time.Now().UTC().Truncate(time.Second), Packages: packages}
	if err := writeManifest(tmp, img); err != nil {
		return err
	}
	if err := os.RemoveAll(final); err != nil { // without a readable manifest it is nobody's image
		return err
	}
	return os.Rename(tmp, final)
}

func removeAllBut(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == keep {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// bootstrap installs the recipe's packages into rootfs. Archives have bad
// moments, so it is tried again before it is given up.
func (s *Store) bootstrap(ctx context.Context, r recipe, tmp, rootfs string, progress func(string)) error {
	sources, err := hostSources("/etc/apt", r.Suite)
	if err != nil {
		return fmt.Errorf("cannot read the host's apt sources: %w", err)
	}
	list := filepath.Join(tmp, "host.sources")
	if err := os.WriteFile(list, []byte(sources), 0o644); err != nil {
		return err
	}
	const attempts = 3
	for attempt := 1; ; attempt++ {
		err := mmdebstrap(ctx, r, list, rootfs, progress)
		if err == nil || attempt == attempts || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		progress(fmt.Sprintf("installing packages failed, trying again (%d of %d)", attempt+1, attempts))
		if err := os.RemoveAll(rootfs); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(attempt) * s.pause):
		}
	}
}

// installed asks the image's package database what is in it.
func installed(ctx context.Context, rootfs string) (map[string]string, error) {
	out, err := exec.CommandContext(ctx, "dpkg-query", "--admindir="+filepath.Join(rootfs, "var/lib/dpkg"),
		"--show", "--showformat=${Package} ${Version}\n").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the image's packages: %w", err)
	}
	return parsePackages(out), nil
}

func parsePackages(text []byte) map[string]string {
	packages := map[string]string{}
	for line := range bytes.Lines(text) {
		if name, version, ok := strings.Cut(strings.TrimSpace(string(line)), " "); ok {
			packages[name] = version
		}
	}
	return packages
}
