package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
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

// Key returns an access key with its secret.
func (tx Tx) Key(ctx context.Context, id string) (Key, error) {
	var k Key
	if err := tx.db.NewSelect().Model(&k).Where("id = ?", id).Scan(ctx); err != nil {
		return k, notFound(err)
	}
	plain, err := tx.sealer.Open(k.Secret, k.ID)
	k.Secret = string(plain)
	return k, err
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
