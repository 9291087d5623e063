package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// openFile is a file as it was when the store was opened.
type openFile struct {
	path string
	info os.FileInfo
}

func openedFile(path string) (openFile, error) {
	info, err := os.Stat(path)
	return openFile{path, info}, err
}

// lost is an error if another file, or none, has the path now.
func (f openFile) lost() error {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s was removed", f.path)
	case err == nil && !os.SameFile(info, f.info):
		return fmt.Errorf("%s is another file than the one that was opened", f.path)
	}
	return nil // what cannot be looked at for a moment is not lost
}

// Lost is an error when the data directory was removed or replaced while the store
// was open: what is read and written since then is in files that nobody will find.
func (s *Store) Lost() error {
	for _, f := range s.files {
		if err := f.lost(); err != nil {
			return err
		}
	}
	return nil
}

// keepWatch notes the files that have to stay where they are.
func (s *Store) keepWatch(p Place) error {
	paths := []string{filepath.Join(p.Dir, lockFile)}
	if p.URL == "" {
		paths = append(paths, p.name())
	}
	for _, path := range paths {
		f, err := openedFile(path)
		if err != nil {
			return err
		}
		s.files = append(s.files, f)
	}
	return nil
}
