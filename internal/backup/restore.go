package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Marker is a file in a data directory whose store is a restored one. As long as
// it is there the service removes no machine and no volume that the store does
// not know: they may be younger than the backup.
const Marker = "restored"

const (
	maxCompanion = 1 << 20
	unpacked     = ".restore-" // before the name of a file that is not in place yet
	aside        = ".before-restore"
)

// Restore puts what the archive holds into dir, which must hold no store, and
// tells when the backup was made. ready gets the store's file before it is in its
// place. The store comes last: a restoration that was cut off is done again. The
// caller has dir locked.
func Restore(file, dir string, ready func(store string) error) (made time.Time, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return made, fmt.Errorf("cannot restore into %s: %w", dir, err)
	}
	defer root.Close()
	made, err = restore(file, root, ready)
	if err != nil {
		return made, fmt.Errorf("cannot restore the backup %s into %s: %w", file, dir, err)
	}
	return made, syncDir(dir)
}

func restore(file string, root *os.Root, ready func(string) error) (made time.Time, err error) {
	for _, name := range []string{Store, Store + "-wal", Store + "-shm"} {
		if _, err := root.Lstat(name); err == nil {
			return made, fmt.Errorf("there is a store already: move %s away, and what is named like it", filepath.Join(root.Name(), name))
		}
	}
	var names []string
	defer func() {
		for _, name := range names {
			root.Remove(unpacked + name) // gone, if it is in place
		}
	}()
	if names, made, err = unpack(file, root); err != nil {
		return made, err
	}
	if !slices.Contains(names, Store) || !slices.Contains(names, companions[0]) {
		return made, errors.New("it is no backup of ehpc: it does not hold " + Store + " and " + companions[0])
	}
	if err := ready(filepath.Join(root.Name(), unpacked+Store)); err != nil {
		return made, err
	}
	for _, name := range names {
		if name == Store {
			continue
		}
		if err := place(root, name); err != nil {
			return made, err
		}
	}
	if err := root.WriteFile(Marker, []byte(made.UTC().Format(time.RFC3339)+"\n"), 0o600); err != nil {
		return made, err
	}
	return made, root.Rename(unpacked+Store, Store)
}

// unpack writes every file of the archive under a name of its own, whole.
func unpack(file string, root *os.Root) (names []string, made time.Time, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, made, err
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return nil, made, err
	}
	for in := tar.NewReader(zip); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.Copy(io.Discard, zip) // its checksum stands at the end
			return names, made, err
		}
		if err != nil {
			return names, made, err
		}
		if h.Typeflag != tar.TypeReg || h.Name != Store && !slices.Contains(companions, h.Name) || slices.Contains(names, h.Name) {
			return names, made, fmt.Errorf("it is no backup of ehpc: it holds %.60q", h.Name)
		}
		if h.Name != Store && h.Size > maxCompanion {
			return names, made, fmt.Errorf("its %s has %d bytes, which cannot be", h.Name, h.Size)
		}
		names, made = append(names, h.Name), h.ModTime
		if err := write(root, unpacked+h.Name, in); err != nil {
			return names, made, err
		}
	}
}

func write(root *os.Root, name string, from io.Reader) (err error) {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, from); err != nil {
		return err
	}
	return f.Sync()
}

// place gives an unpacked file its name. One of that name with another content
// belongs to the store that was there before: it is kept beside.
func place(root *os.Root, name string) error {
	old, err := root.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		given, err := root.ReadFile(unpacked + name)
		if err != nil {
			return err
		}
		if !bytes.Equal(old, given) {
			if err := keepAside(root, name); err != nil {
				return err
			}
		}
	}
	return root.Rename(unpacked+name, name)
}

func keepAside(root *os.Root, name string) error {
	for n := 0; ; n++ {
		to := name + aside + strings.Repeat("-again", n)
		if _, err := root.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return root.Rename(name, to)
		} else if err != nil {
			return err
		}
	}
}
