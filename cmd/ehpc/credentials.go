package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ehpc/internal/store"
)

// credentialsFile holds what a client of a dev service needs, in the data directory.
const credentialsFile = "credentials.env"

// writeCredentials makes the first access key and writes it, with the endpoint,
// and more lines, to the credentials file. A key that the file names already is kept.
func writeCredentials(ctx context.Context, db *store.Store, dir, endpoint, region, more string) error {
	file := filepath.Join(dir, credentialsFile)
	id, secret, err := oldKey(ctx, db, file)
	if err != nil {
		return err
	}
	if id == "" {
		key, err := makeKey(ctx, db, defaultOwner)
		if err != nil {
			return err
		}
		id, secret = key.ID, key.Secret
	}
	text := fmt.Sprintf("ALIBABA_CLOUD_ACCESS_KEY_ID=%s\nALIBABA_CLOUD_ACCESS_KEY_SECRET=%s\nEHPC_ENDPOINT=%s\nEHPC_REGION=%s\n%s",
		id, secret, endpoint, region, more)
	temp := file + ".new"
	if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
		return fmt.Errorf("cannot write the credentials: %w", err)
	}
	return os.Rename(temp, file)
}

// oldKey returns the key that the file names, if the store still has it.
func oldKey(ctx context.Context, db *store.Store, file string) (id, secret string, err error) {
	values, err := readCredentials(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	key, err := db.Key(ctx, values["ALIBABA_CLOUD_ACCESS_KEY_ID"])
	if errors.Is(err, store.ErrNotFound) {
		return "", "", nil // it was deleted: a new one is made
	}
	return key.ID, key.Secret, err
}
