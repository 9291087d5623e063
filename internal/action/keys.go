package action

import (
	"context"
	"errors"

	"ehpc/internal/auth"
	"ehpc/internal/store"
)

// Keys looks access keys up in the store at every request, so that a key that is
// disabled is refused at once.
type Keys struct{ Store *store.Store }

// SecretOf implements auth.KeySource.
func (k Keys) SecretOf(ctx context.Context, id string) (auth.Key, error) {
	row, err := k.Store.Key(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return auth.Key{}, auth.ErrUnknownKey
	}
	if err != nil {
		return auth.Key{}, err
	}
	return auth.Key{ID: row.ID, Secret: row.Secret, Owner: row.Owner, Enabled: row.Enabled}, nil
}
