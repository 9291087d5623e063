// Package store keeps what the control plane knows: one file per table, one set
// of queries for SQLite and PostgreSQL. It holds rows, not rules: which steps
// are legal stands in package hpc, who takes them in action and reconcile.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/migrate"
	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // the "sqlite" driver of database/sql
)

//go:embed migrations/*.sql
var migrations embed.FS

var (
	// ErrNotFound: no such row.
	ErrNotFound = errors.New("no such row")
	// ErrConflict: the row was changed by somebody else meanwhile, or exists already.
	ErrConflict = errors.New("the row has changed meanwhile")
)

// Sealer encrypts what must be readable again but not in a copy of the store.
type Sealer interface {
	Seal(plain []byte, about string) (string, error)
	Open(sealed, about string) ([]byte, error)
}

// Store is the open store of one control plane. It holds the lock of its data
// directory until Close.
type Store struct {
	write  *bun.DB
	read   *bun.DB
	lock   *os.File
	sealer Sealer
	jobs   directory[jobEntry]
	nodes  directory[NodeEntry]
	keys   keyQuery
}

// Open opens the SQLite store in dir, made on first use, and brings its tables
// up to date. Only one process at a time can have it open.
func Open(ctx context.Context, dir string, sealer Sealer, log *slog.Logger) (*Store, error) {
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{lock: lock, sealer: sealer}
	file := filepath.Join(dir, "ehpc.db")
	if s.write, err = openSQLite(file, 1); err == nil {
		s.read, err = openSQLite(file, 4)
	}
	if err == nil {
		err = s.migrate(ctx, log)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("cannot open the store %s: %w", file, err)
	}
	return s, nil
}

// Attach opens the store of a directory beside the control plane that serves
// it, for administration: it takes no lock and changes no table.
func Attach(dir string, sealer Sealer) (*Store, error) {
	file := filepath.Join(dir, "ehpc.db")
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("cannot open the store: %w", err)
	}
	s := &Store{sealer: sealer}
	var err error
	if s.write, err = openSQLite(file, 1); err == nil {
		s.read, err = openSQLite(file, 1)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open the store %s: %w", file, err), s.Close())
	}
	return s, nil
}

// Close waits for running transactions and gives the data directory free.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*bun.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the data directory: %w", err)
	}
	name := filepath.Join(dir, "lock")
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

func openSQLite(file string, conns int) (*bun.DB, error) {
	// Made here, so that nobody else can read it, nor the files that SQLite makes
	// beside it with the same mode.
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	dsn := "file:" + file + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)" +
		"&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_txlock=immediate"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return bun.NewDB(db, plainText{sqlitedialect.New()}), nil
}

func (s *Store) migrate(ctx context.Context, log *slog.Logger) error {
	set := migrate.NewMigrations()
	if err := set.Discover(migrations); err != nil {
		return err
	}
	m := migrate.NewMigrator(s.write, set, migrate.WithMarkAppliedOnSuccess(true))
	if err := m.Init(ctx); err != nil {
		return err
	}
	group, err := m.Migrate(ctx)
	if err != nil {
		return fmt.Errorf("cannot migrate: %w", err)
	}
	if !group.IsZero() {
		log.Info("store migrated", "migrations", group.Migrations.String())
	}
	return nil
}

// Tx gives the queries, inside a transaction or for reading alone.
type Tx struct {
	db     bun.IDB
	sealer Sealer
}

// Read gives the queries for reading, each on its own snapshot.
func (s *Store) Read() Tx { return Tx{db: s.read, sealer: s.sealer} }

// Change runs fn in one transaction: all of what it writes, or nothing.
func (s *Store) Change(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error {
	return s.write.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		return fn(ctx, Tx{db: tx, sealer: s.sealer})
	})
}

// notFound maps the driver's word for an empty result to ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// one checks that a conditional update met its row.
func one(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return ErrConflict
	}
	return err
}

// Page is one page of a listing; Number counts from 1.
type Page struct{ Number, Size int }

func (p Page) apply(q *bun.SelectQuery) *bun.SelectQuery {
	if p.Size == 0 {
		return q
	}
	return q.Limit(int64(p.Size)).Offset(int64(p.Number-1) * int64(p.Size))
}
