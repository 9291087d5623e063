package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"

	"github.com/uptrace/bun/migrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrateKey is the advisory lock of migrations in a PostgreSQL database.
const migrateKey = 0x65687063 // "ehpc"

// migrate brings the tables up to date. Servers that start together do it one
// after the other.
func (s *Store) migrate(ctx context.Context, log *slog.Logger) (err error) {
	if s.shared {
		conn, err := s.write.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, conn.Close()) }()
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(?)", migrateKey); err != nil {
			return err
		}
		defer func() {
			_, unlock := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(?)", migrateKey)
			err = errors.Join(err, unlock)
		}()
	}
	if err := s.applyMigrations(ctx, log); err != nil || s.shared {
		return err
	}
	return s.tellStatistics(ctx)
}

func (s *Store) applyMigrations(ctx context.Context, log *slog.Logger) error {
	set := migrate.NewMigrations()
	if err := set.Discover(migrations); err != nil {
		return err
	}
	m := migrate.NewMigrator(s.write, set, migrate.WithMarkAppliedOnSuccess(true))
	if err := m.Init(ctx); err != nil {
		return err
	}
	unknown, err := m.MissingMigrations(ctx)
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return fmt.Errorf("a newer version of ehpc has used it: its migrations %s are unknown here", unknown.String())
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
