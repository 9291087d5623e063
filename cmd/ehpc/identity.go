package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ehpc/internal/store"
)

// serverFile names this server among those that share a store, in the data directory.
const serverFile = "server.id"

// identity is who a server is in its store. Its machines are beside it, so no
// other server can run the clusters that stand on them.
type identity struct{ server, home string }

// identify tells who the server of a data directory is. Alone on its store it
// needs no name, and every cluster is its own.
func identify(db *store.Store, dir string) (identity, error) {
	if !db.Shared() {
		return identity{server: "alone"}, nil
	}
	file := filepath.Join(dir, serverFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(store.NewID() + "\n")
		temp := file + ".new"
		if err = os.WriteFile(temp, text, 0o600); err == nil {
			err = os.Rename(temp, file)
		}
	}
	id := strings.TrimSpace(string(text))
	if err == nil && id == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return identity{}, fmt.Errorf("cannot tell the server's name from %s: %w", file, err)
	}
	return identity{server: id, home: id}, nil
}
