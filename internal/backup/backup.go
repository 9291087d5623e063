// Package backup packs what a service on SQLite needs to carry on into one file,
// and unpacks it again. Clusters' volumes are not in it: they are the cluster's.
package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Store is the file that a copy of the store has, in an archive and in a data
// directory.
const Store = "ehpc.db"

// companions are the further files of a data directory that are kept. Those that
// are not there are left out, but for the first: without it the store's secrets
// cannot be read.
var companions = []string{"sealer.key", "credentials.env", "tls.crt", "tls.key"}

// Write makes the archive file of the service in dir, which may be serving. copy
// puts a consistent copy of its store into a new file. An archive appears whole
// or not at all, and replaces nothing.
func Write(ctx context.Context, file, dir string, copy func(ctx context.Context, to string) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot write the backup %s: %w", file, err)
		}
	}()
	if _, err := os.Lstat(file); err == nil {
		return fs.ErrExist
	}
	// Beside the file, so that it is the same file system, which need not be the service's.
	work, err := os.MkdirTemp(filepath.Dir(file), ".ehpc-backup-*") // mode 0700
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := copy(ctx, filepath.Join(work, Store)); err != nil {
		return err
	}
	packed := filepath.Join(work, "archive")
	if err := pack(ctx, packed, filepath.Join(work, Store), dir); err != nil {
		return err
	}
	if err := os.Link(packed, file); err != nil { // unlike a rename it replaces nothing
		return err
	}
	return syncDir(filepath.Dir(file))
}

func pack(ctx context.Context, to, store, dir string) (err error) {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zip := gzip.NewWriter(f)
	out := tar.NewWriter(zip)
	if err := add(ctx, out, Store, store); err != nil {
		return err
	}
	for i, name := range companions {
		err := add(ctx, out, name, filepath.Join(dir, name))
		if err != nil && (i == 0 || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return errors.Join(out.Close(), zip.Close(), f.Sync())
}

func add(ctx context.Context, out *tar.Writer, name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	err = out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: time.Now().Truncate(time.Second)})
	if err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	return errors.Join(err, ctx.Err())
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
