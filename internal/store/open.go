package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/uptrace/bun"
	"golang.org/x/sys/unix"
)

// dbFile is the SQLite store in its data directory.
const dbFile = "ehpc.db"

// lockFile is locked by the server that has the data directory open.
const lockFile = "lock"

// Place says where a store is.
type Place struct {
	Dir      string // the server's data directory; it is locked
	URL      string // of a PostgreSQL database, without its password; "" for SQLite in Dir
	Password string // for URL

	// Watch sees each query before it is made, and may hold it up: a query is made
	// with the context that it returns. Nil outside tests.
	Watch func(ctx context.Context, query string) context.Context
}

// Open opens the SQLite store in dir, made on first use.
func Open(ctx context.Context, dir string, sealer Sealer, log *slog.Logger) (*Store, error) {
	return OpenAt(ctx, Place{Dir: dir}, sealer, log)
}

// OpenAt opens a store and brings its tables up to date. Only one process at a
// time can have a data directory open.
func OpenAt(ctx context.Context, p Place, sealer Sealer, log *slog.Logger) (*Store, error) {
	lock, err := lockDir(p.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{lock: lock, sealer: sealer}
	err = s.connect(ctx, p)
	if err == nil {
		err = s.migrate(ctx, log)
	}
	if err == nil {
		err = s.checkSealer(ctx)
	}
	if err == nil {
		err = s.keepWatch(p)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the store %s: %w", p.name(), err), s.Close())
	}
	return s, nil
}

// Attach opens a store beside the control plane that serves it, for
// administration: it takes no lock and changes no table.
func Attach(ctx context.Context, p Place, sealer Sealer) (*Store, error) {
	if p.URL == "" {
		if _, err := os.Stat(p.name()); err != nil {
			return nil, fmt.Errorf("cannot open the store: %w", err)
		}
	}
	s := &Store{sealer: sealer}
	err := s.connect(ctx, p)
	if err == nil {
		if _, err = s.write.NewRaw("SELECT 1 FROM access_keys LIMIT 1").Exec(ctx); err != nil {
			err = fmt.Errorf("no service has made it yet: %w", err)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the store %s: %w", p.name(), err), s.Close())
	}
	return s, nil
}

func (s *Store) connect(ctx context.Context, p Place) (err error) {
	if p.URL != "" {
		s.shared = true
		return s.connectPostgres(ctx, p)
	}
	return s.connectSQLite(p)
}

// watch is a place's Watch as the databases call it.
type watch func(ctx context.Context, query string) context.Context

func (w watch) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	return w(ctx, e.Query)
}

func (watch) AfterQuery(context.Context, *bun.QueryEvent) {}

// watched is the database, watched if somebody wants to.
func (p Place) watched(db *bun.DB) *bun.DB {
	if p.Watch == nil {
		return db
	}
	return db.WithQueryHook(watch(p.Watch))
}

// name is the place as people may see it.
func (p Place) name() string {
	if p.URL != "" {
		return p.URL
	}
	return filepath.Join(p.Dir, dbFile)
}

func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data directory: %w", err)
	}
	name := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot lock the data directory %s: another ehpc is using it", dir)
	}
	return f, nil
}

// checkSealer refuses a sealer that cannot open what the store holds: servers
// that share a store must share the key.
func (s *Store) checkSealer(ctx context.Context) error {
	keys, err := s.Read().Keys(ctx)
	if err != nil || len(keys) == 0 {
		return err
	}
	if _, err := s.Key(ctx, keys[0].ID); err != nil {
		return fmt.Errorf("its secrets were sealed with another key than this data directory's: %w", err)
	}
	return nil
}
