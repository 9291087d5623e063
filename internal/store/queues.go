package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// Queue is a row of queues.
type Queue struct {
	bun.BaseModel `bun:"table:queues"`

	ClusterID string `bun:",pk"`
	Name      string `bun:",pk"`
	IsDefault bool
	Created   time.Time
	Replaced  []time.Time `bun:",type:text,nullzero"` // sick nodes, within the last hour
	Halted    time.Time   `bun:",nullzero"`           // since when none is replaced any more
}

// InsertQueue adds a queue.
func (tx Tx) InsertQueue(ctx context.Context, q *Queue) error {
	_, err := tx.db.NewInsert().Model(q).Exec(ctx)
	return err
}

// Queues returns a cluster's queues, oldest first.
func (tx Tx) Queues(ctx context.Context, clusterID string) ([]*Queue, error) {
	var rows []*Queue
	err := tx.db.NewSelect().Model(&rows).Where("cluster_id = ?", clusterID).Order("created", "name").Scan(ctx)
	return rows, err
}

// Queue returns a queue; ErrNotFound.
func (tx Tx) Queue(ctx context.Context, clusterID, name string) (*Queue, error) {
	q := &Queue{ClusterID: clusterID, Name: name}
	return q, notFound(tx.db.NewSelect().Model(q).WherePK().Scan(ctx))
}

// DeleteQueue removes a queue with its budget; ErrConflict when there is none of
// that name.
func (tx Tx) DeleteQueue(ctx context.Context, clusterID, name string) error {
	if err := tx.DropBudget(ctx, clusterID, hpc.BudgetTarget{Queue: name}); err != nil {
		return err
	}
	return one(tx.db.NewDelete().Model((*Queue)(nil)).Where("cluster_id = ? AND name = ?", clusterID, name).Exec(ctx))
}
