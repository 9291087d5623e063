package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// postgresConns bounds what one server takes of the database's connections.
const postgresConns = 16

func (s *Store) connectPostgres(ctx context.Context, p Place) error {
	conf, err := pgx.ParseConfig(p.URL)
	if err != nil {
		return err
	}
	if p.Password != "" {
		conf.Password = p.Password
	}
	// The queries arrive with their values written in: there is nothing to prepare.
	conf.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conf.ConnectTimeout = 10 * time.Second
	for name, value := range map[string]string{
		"application_name":            "ehpc",
		"standard_conforming_strings": "on", // the values are written for it
		"TimeZone":                    "UTC",
		// A server that was cut off must not hold rows for ever.
		"lock_timeout":                        "10s",
		"idle_in_transaction_session_timeout": "60s",
	} {
		conf.RuntimeParams[name] = value
	}
	db := stdlib.OpenDB(*conf)
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(postgresConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	s.write = p.watched(bun.NewDB(db, plainText{pgdialect.New()}))
	s.read = s.write
	s.change = func(ctx context.Context, fn func(context.Context, bun.Tx) error) error {
		return s.write.RunInTx(ctx, nil, fn)
	}
	var encoding string
	if err := s.read.NewRaw("SHOW server_encoding").Scan(ctx, &encoding); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("its encoding is %s; make the database with UTF8", encoding)
	}
	return nil
}
