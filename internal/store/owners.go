package store

import (
	"context"

	"github.com/uptrace/bun"
)

// Owner is a row of owners, made when it is first decided on.
type Owner struct {
	bun.BaseModel `bun:"table:owners,alias:owner"`

	Owner string `bun:",pk"`
	Rev   int64
}

// LockOwner is for a transaction that decides on how many things an owner has:
// no other can decide on that meanwhile.
func (tx Tx) LockOwner(ctx context.Context, owner string) error {
	_, err := tx.db.NewInsert().Model(&Owner{Owner: owner, Rev: 1}).
		On("CONFLICT (owner) DO UPDATE").Set("rev = owner.rev + 1").Exec(ctx)
	return err
}
