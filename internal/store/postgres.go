package store

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// postgresConns bounds what one server takes of the database's connections.
const postgresConns = 16

func (s *Store) connectPostgres(ctx context.Context, p Place) error {
	if err := CheckURL(p.URL); err != nil {
		return err
	}
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
	s.write = bun.NewDB(db, plainText{pgdialect.New()})
	s.read = s.write
	var encoding string
	if err := s.read.NewRaw("SHOW server_encoding").Scan(ctx, &encoding); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("its encoding is %s; make the database with UTF8", encoding)
	}
	return nil
}

// CheckURL refuses a database's address with a password in it: addresses show
// in logs. Its errors do not repeat the address.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return fmt.Errorf("the store's address is not of the form postgres://USER@HOST/DATABASE")
	}
	_, there := u.User.Password()
	if there || u.Query().Has("password") {
		return fmt.Errorf("the store's address holds a password, which belongs in a file or in EHPC_STORE_PASSWORD")
	}
	return nil
}
