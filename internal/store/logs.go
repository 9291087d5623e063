package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Levels of log lines.
const (
	Info  = "info"
	Warn  = "warn"
	Error = "error"
)

// LogLine is a row of cluster_logs.
type LogLine struct {
	bun.BaseModel `bun:"table:cluster_logs"`

	ID        string `bun:",pk"` // time-ordered
	ClusterID string
	Operation string
	Level     string
	Message   string
	Created   time.Time
}

// Log adds a line to a cluster's log, in the transaction of what it tells about.
func (tx Tx) Log(ctx context.Context, clusterID, operation, level, message string, now time.Time) error {
	line := &LogLine{ID: NewID(), ClusterID: clusterID, Operation: operation, Level: level, Message: message, Created: now}
	_, err := tx.db.NewInsert().Model(line).Exec(ctx)
	return err
}

// Logs returns a cluster's log, newest first, and how many lines there are.
func (tx Tx) Logs(ctx context.Context, clusterID string, page Page) ([]*LogLine, int, error) {
	var rows []*LogLine
	q := tx.db.NewSelect().Model(&rows).Where("cluster_id = ?", clusterID).Order("id DESC")
	return scanPage(ctx, q, page, &rows)
}

// NewID makes an id that sorts by the time it was made.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
