package main

import (
	"context"
	"errors"

	"ehpc/internal/auth"
	"ehpc/internal/store"
)

// keySource looks access keys up in the store, so that a key that is disabled
// is refused at once.
type keySource struct{ store *store.Store }

func (k keySource) SecretOf(ctx context.Context, id string) (auth.Key, error) {
	row, err := k.store.Read().Key(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return auth.Key{}, auth.ErrUnknownKey
	}
	if err != nil {
		return auth.Key{}, err
	}
	return auth.Key{ID: row.ID, Secret: row.Secret, Owner: row.Owner, Enabled: row.Enabled}, nil
}
