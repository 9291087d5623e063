package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// Key is a row of access_keys.
type Key struct {
	bun.BaseModel `bun:"table:access_keys"`

	ID      string `bun:",pk"`
	Owner   string
	Secret  string // sealed in the table, plain in what Key and InsertKey handle
	Enabled bool
	Created time.Time
}

// InsertKey adds an access key.
func (tx Tx) InsertKey(ctx context.Context, k Key) error {
	sealed, err := tx.sealer.Seal([]byte(k.Secret), k.ID)
	if err != nil {
		return fmt.Errorf("cannot seal access key %s: %w", k.ID, err)
	}
	k.Secret = sealed
	_, err = tx.db.NewInsert().Model(&k).Exec(ctx)
	return err
}

// keyQuery reads one key without what queries usually cost: each request needs
// its key as it is now, so that one that is disabled is refused at once.
type keyQuery struct {
	mu   sync.Mutex
	stmt *sql.Stmt
}

// Key returns an access key with its secret.
func (s *Store) Key(ctx context.Context, id string) (k Key, err error) {
	stmt, err := s.keys.prepared(ctx, s.read)
	if err != nil {
		return k, err
	}
	k.ID = id
	if err := stmt.QueryRowContext(ctx, id).Scan(&k.Owner, &k.Secret, &k.Enabled); err != nil {
		return k, notFound(err)
	}
	plain, err := s.sealer.Open(k.Secret, k.ID)
	k.Secret = string(plain)
	return k, err
}

func (q *keyQuery) prepared(ctx context.Context, db *bun.DB) (*sql.Stmt, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stmt != nil {
		return q.stmt, nil
	}
	place := "?"
	if db.Dialect().Name() == dialect.PG {
		place = "$1"
	}
	var err error
	q.stmt, err = db.DB.PrepareContext(ctx, "SELECT owner, secret, enabled FROM access_keys WHERE id = "+place)
	return q.stmt, err
}

// Keys returns all access keys without their secrets, oldest first.
func (tx Tx) Keys(ctx context.Context) ([]Key, error) {
	var rows []Key
	err := tx.db.NewSelect().Model(&rows).ExcludeColumn("secret").Order("created").Scan(ctx)
	return rows, err
}

// EnableKey enables or disables an access key.
func (tx Tx) EnableKey(ctx context.Context, id string, enabled bool) error {
	return one(tx.db.NewUpdate().Model((*Key)(nil)).Set("enabled = ?", enabled).Where("id = ?", id).Exec(ctx))
}

// DeleteKey removes an access key.
func (tx Tx) DeleteKey(ctx context.Context, id string) error {
	return one(tx.db.NewDelete().Model((*Key)(nil)).Where("id = ?", id).Exec(ctx))
}
