package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// ClientToken is a row of client_tokens: what a request with an idempotency
// token was answered. It is written in the transaction of what it created.
type ClientToken struct {
	bun.BaseModel `bun:"table:client_tokens"`

	AccessKey  string `bun:",pk"`
	Token      string `bun:",pk"`
	Action     string
	ParamsHash string
	Answer     string // JSON
	Created    time.Time
}

// TokenLife is how long a token is remembered.
const TokenLife = 7 * 24 * time.Hour

// ClientToken returns what is remembered of a token.
func (tx Tx) ClientToken(ctx context.Context, accessKey, token string) (*ClientToken, error) {
	t := new(ClientToken)
	err := tx.db.NewSelect().Model(t).Where("access_key = ? AND token = ?", accessKey, token).Scan(ctx)
	return t, notFound(err)
}

// InsertClientToken remembers a token.
func (tx Tx) InsertClientToken(ctx context.Context, t *ClientToken) error {
	_, err := tx.db.NewInsert().Model(t).Exec(ctx)
	return err
}

// ExpireClientTokens forgets the tokens made before a time.
func (tx Tx) ExpireClientTokens(ctx context.Context, before time.Time) error {
	_, err := tx.db.NewDelete().Model((*ClientToken)(nil)).Where("created < ?", before).Exec(ctx)
	return err
}
