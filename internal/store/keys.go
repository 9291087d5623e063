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

// keyQuery reads keys without what queries usually cost. Each request needs its
// key as it is now, so that one that is disabled is refused at once; requests
// that come while a key is read share the next reading of it.
type keyQuery struct {
	mu   sync.Mutex
	stmt *sql.Stmt
	busy map[string]bool        // is being read
	next map[string]*keyReading // to be read after that
}

// keyReading is one reading of a key, begun after all who wait for it have asked.
type keyReading struct {
	done chan struct{}
	key  Key
	err  error
}

// keyLimit bounds a reading, which is nobody's own.
const keyLimit = 10 * time.Second

// Key returns an access key with its secret.
func (s *Store) Key(ctx context.Context, id string) (Key, error) {
	q := &s.keys
	q.mu.Lock()
	r := q.next[id]
	if r == nil {
		r = &keyReading{done: make(chan struct{})}
		if q.next == nil {
			q.busy, q.next = map[string]bool{}, map[string]*keyReading{}
		}
		q.next[id] = r
	}
	first := !q.busy[id]
	q.busy[id] = true
	q.mu.Unlock()
	if first {
		s.readKeys(ctx, id, r)
	}
	select {
	case <-r.done:
		return r.key, r.err
	case <-ctx.Done():
		return Key{}, ctx.Err()
	}
}

// readKeys reads a key for the first who asked, and leaves those who ask
// meanwhile to another.
func (s *Store) readKeys(ctx context.Context, id string, r *keyReading) {
	q := &s.keys
	q.mu.Lock()
	delete(q.next, id)
	q.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keyLimit)
	defer cancel()
	r.key, r.err = s.readKey(ctx, id)
	close(r.done)
	q.mu.Lock()
	defer q.mu.Unlock()
	if waiting := q.next[id]; waiting != nil {
		go s.readKeys(ctx, id, waiting)
		return
	}
	delete(q.busy, id)
}

func (s *Store) readKey(ctx context.Context, id string) (k Key, err error) {
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
