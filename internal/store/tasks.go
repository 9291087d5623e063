package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Task is a row of tasks: which rows an asynchronous action changed. How far it
// is follows from those rows.
type Task struct {
	bun.BaseModel `bun:"table:tasks"`

	ID        string `bun:",pk"`
	ClusterID string
	Kind      string   // the action
	Objects   []string `bun:",type:text"`
	Request   string   // as JSON, without secrets; "" of tasks that were before this was kept
	Created   time.Time
}

// InsertTask adds a task.
func (tx Tx) InsertTask(ctx context.Context, t *Task) error {
	_, err := tx.db.NewInsert().Model(t).Exec(ctx)
	return err
}

// Tasks returns a cluster's tasks, newest first: all, or the one with the id.
func (tx Tx) Tasks(ctx context.Context, clusterID, id string, page Page) ([]*Task, int, error) {
	var rows []*Task
	q := tx.db.NewSelect().Model(&rows).Where("cluster_id = ?", clusterID).Order("created DESC", "id")
	if id != "" {
		q = q.Where("id = ?", id)
	}
	return scanPage(ctx, q, page, &rows)
}
