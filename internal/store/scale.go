package store

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// ScaleConfig is a row of scale_configs: how a cluster grows and shrinks, and
// when it last did.
type ScaleConfig struct {
	bun.BaseModel `bun:"table:scale_configs"`

	ClusterID string               `bun:",pk"`
	Settings  hpc.ScaleSettings    `bun:",type:text"`
	Rounds    map[string]time.Time `bun:",type:text"` // by queue, when it grew last
	Checked   time.Time            `bun:",nullzero"`  // when its nodes were looked at last, for those that are idle
	Said      map[string]string    `bun:",type:text"` // by queue, the last line in the log about what was not done
	Resting   map[string]time.Time `bun:",type:text"` // by instance type, until when it is left alone for want of capacity
	Changed   time.Time            // of Settings
}

// ScaleQueue is a row of scale_queues.
type ScaleQueue struct {
	bun.BaseModel `bun:"table:scale_queues"`

	ClusterID string         `bun:",pk"`
	Queue     string         `bun:",pk"`
	Position  int            // as they were given, from 1
	Settings  hpc.QueueScale `bun:",type:text"`
}

// SetScale replaces a cluster's settings and those of its queues.
func (tx Tx) SetScale(ctx context.Context, c *ScaleConfig, queues []*ScaleQueue) error {
	c.Rounds, c.Said, c.Resting = map[string]time.Time{}, map[string]string{}, map[string]time.Time{}
	_, err := tx.db.NewInsert().Model(c).On("CONFLICT (cluster_id) DO UPDATE").
		Set("settings = EXCLUDED.settings").Set("changed = EXCLUDED.changed").Set("said = EXCLUDED.said").Exec(ctx)
	if err != nil {
		return err
	}
	_, err = tx.db.NewUpdate().Model((*Job)(nil)).Set("rev = rev + 1").Set("hindrance = ''").
		Where("cluster_id = ? AND ended IS NULL AND hindrance <> ''", c.ClusterID).Exec(ctx)
	if err != nil {
		return err
	}
	if _, err := tx.db.NewDelete().Model((*ScaleQueue)(nil)).Where("cluster_id = ?", c.ClusterID).Exec(ctx); err != nil || len(queues) == 0 {
		return err
	}
	_, err = tx.db.NewInsert().Model(&queues).Exec(ctx)
	return err
}

// Scale returns a cluster's settings, the default ones if it was never given
// any, and those of its queues in the order they were given.
func (tx Tx) Scale(ctx context.Context, clusterID string) (*ScaleConfig, []*ScaleQueue, error) {
	c := new(ScaleConfig)
	err := notFound(tx.db.NewSelect().Model(c).Where("cluster_id = ?", clusterID).Scan(ctx))
	if errors.Is(err, ErrNotFound) {
		return &ScaleConfig{ClusterID: clusterID, Settings: hpc.DefaultScale}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var queues []*ScaleQueue
	err = tx.db.NewSelect().Model(&queues).Where("cluster_id = ?", clusterID).Order("position").Scan(ctx)
	return c, queues, err
}

// NoteScale writes what a round of growing or a check of idle nodes leaves.
func (tx Tx) NoteScale(ctx context.Context, c *ScaleConfig) error {
	return one(tx.db.NewUpdate().Model(c).WherePK().Column("rounds", "checked", "said", "resting").Exec(ctx))
}

// NoteIdle writes how many checks in a row have found a node idle.
func (tx Tx) NoteIdle(ctx context.Context, n *Node, checks int) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) { q.Set("idle = ?", checks) })
}

// ResetNode has a node made anew that was not in service in time; ErrConflict
// when it has another status meanwhile.
func (tx Tx) ResetNode(ctx context.Context, n *Node, reason string, now time.Time) error {
	if err := tx.StepNode(ctx, n, hpc.NodeUninit, reason, now, time.Time{}); err != nil {
		return err
	}
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) { q.Set("resets = resets + 1").Set("awaited = ?", now) })
}

// NoteHindrance writes why no node is added for a waiting job; "" for no reason.
func (tx Tx) NoteHindrance(ctx context.Context, j *Job, why string, now time.Time) error {
	seq, err := tx.next(ctx, j.ClusterID, jobKind, 0)
	if err != nil {
		return err
	}
	return one(tx.db.NewUpdate().Model((*Job)(nil)).
		Set("rev = rev + 1").Set("hindrance = ?", why).Set("modified = ?", now).Set("seq = ?", seq).
		Where("id = ? AND rev = ?", j.ID, j.Rev).Exec(ctx))
}
