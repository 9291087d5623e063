package store

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// ErrShared: the store is a database that has tools of its own for this.
var ErrShared = errors.New("the store is in PostgreSQL")

// CopyTo writes a consistent copy of a SQLite store into a new file while the
// store is in use.
func (s *Store) CopyTo(ctx context.Context, file string) error {
	if s.shared {
		return fmt.Errorf("cannot copy the store: %w", ErrShared)
	}
	_, err := s.read.NewRaw("VACUUM INTO ?", file).Exec(ctx)
	if err != nil {
		return fmt.Errorf("cannot copy the store: %w", err)
	}
	return nil
}

// Lock locks a data directory without opening its store.
func Lock(dir string) (io.Closer, error) { return lockDir(dir) }
