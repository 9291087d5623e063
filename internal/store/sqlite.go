package store

import (
	"database/sql"
	"os"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the "sqlite" driver of database/sql
)

func (s *Store) connectSQLite(p Place) (err error) {
	db, err := openSQLite(p.name(), 1)
	if err != nil {
		return err
	}
	s.write = p.watched(db)
	s.change = (&writer{db: s.write}).run
	if db, err = openSQLite(p.name(), 4); err == nil {
		s.read = p.watched(db)
	}
	return err
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
