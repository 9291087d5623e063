package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// NodeSpan is a row of node_spans: a stretch of a node's life in which it cost
// the same and served the same queue. A node has one that goes on as long as
// it has a machine.
type NodeSpan struct {
	bun.BaseModel `bun:"table:node_spans"`

	NodeID       string    `bun:",pk"`
	Began        time.Time `bun:",pk"`
	ClusterID    string
	Hostname     string
	Queue        string
	InstanceType string
	Cores        int
	ChargeType   string
	Price        hpc.Money
	Ended        time.Time `bun:",nullzero"`
	Length       int
}

// forever stands for the end of what goes on.
var forever = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// HPC is the span by which costs are told.
func (s *NodeSpan) HPC() hpc.NodeSpan {
	to := s.Ended
	if to.IsZero() {
		to = forever
	}
	return hpc.NodeSpan{Host: s.Hostname, Queue: s.Queue, Type: s.InstanceType, Cores: s.Cores, Price: s.Price, From: s.Began, To: to}
}

// How a node is charged.
const (
	PostPaid = "PostPaid" // at its type's price
	Spot     = "Spot"     // at the price of the moment
)

// BeginSpan begins a node's span, for it has a machine now; nothing happens if
// one goes on.
func (tx Tx) BeginSpan(ctx context.Context, nodeID string, price hpc.Money, at time.Time) error {
	n, err := tx.node(ctx, nodeID)
	if err != nil {
		return err
	}
	charge := PostPaid
	if n.SpotStrategy.Preemptible() {
		charge = Spot
	}
	s := &NodeSpan{NodeID: n.ID, Began: at.Truncate(TimeGrain), ClusterID: n.ClusterID, Hostname: n.Hostname, Queue: n.Queue,
		InstanceType: n.InstanceType.Name, Cores: n.InstanceType.Cores, ChargeType: charge, Price: price}
	_, err = tx.db.NewInsert().Model(s).On("CONFLICT DO NOTHING").Exec(ctx)
	return err
}

// EndSpan ends a node's span, if one goes on; not before the end of a run whose
// cost has been told by it.
func (tx Tx) EndSpan(ctx context.Context, nodeID string, at time.Time) error {
	_, err := tx.endSpan(ctx, nodeID, at)
	return err
}

func (tx Tx) endSpan(ctx context.Context, nodeID string, at time.Time) (*NodeSpan, error) {
	s := new(NodeSpan)
	err := notFound(tx.db.NewSelect().Model(s).Where("node_id = ? AND ended IS NULL", nodeID).Scan(ctx))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	settled, err := tx.lastRun(ctx, s.ClusterID)
	if err != nil {
		return nil, err
	}
	if at.Before(settled) {
		at = settled // runs have been told their cost by it
	}
	if s.Ended = at.Truncate(TimeGrain); s.Ended.Before(s.Began) {
		s.Ended = s.Began // a clock that was set back
	}
	s.Length = lengthOf(s.Began, s.Ended)
	if err := one(tx.db.NewUpdate().Model(s).WherePK().Column("ended", "length").Exec(ctx)); err != nil {
		return nil, err
	}
	sums := sums{}
	sums.node(s.HPC())
	return s, tx.addSums(ctx, s.ClusterID, sums)
}

// TurnSpan goes on with another price or in another queue.
func (tx Tx) TurnSpan(ctx context.Context, nodeID string, at time.Time, turn func(*NodeSpan)) error {
	s, err := tx.endSpan(ctx, nodeID, at)
	if err != nil || s == nil {
		return err
	}
	next := *s
	next.Began, next.Ended, next.Length = s.Ended, time.Time{}, 0
	turn(&next)
	if s.Ended.Equal(s.Began) { // it was replaced before it had lasted
		if _, err := tx.db.NewDelete().Model(s).WherePK().Exec(ctx); err != nil {
			return err
		}
	}
	_, err = tx.db.NewInsert().Model(&next).Exec(ctx)
	return err
}

// OpenSpans returns the spans of a cluster's nodes that go on.
func (tx Tx) OpenSpans(ctx context.Context, clusterID string) ([]*NodeSpan, error) {
	var rows []*NodeSpan
	err := tx.db.NewSelect().Model(&rows).Where("cluster_id = ? AND ended IS NULL", clusterID).Order("began", "node_id").Scan(ctx)
	return rows, err
}

// lastRun is when the last of a cluster's runs that have ended did.
func (tx Tx) lastRun(ctx context.Context, clusterID string) (time.Time, error) {
	r := new(Run)
	err := notFound(tx.db.NewSelect().Model(r).Column("ended").Where("cluster_id = ? AND ended IS NOT NULL", clusterID).
		OrderBy("ended", bun.OrderDesc).Limit(1).Scan(ctx))
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return r.Ended, err
}

// spansFor returns the spans of the nodes of runs since the first of them
// started, by hostname and in order.
func (tx Tx) spansFor(ctx context.Context, clusterID string, runs []*Run) (map[string][]hpc.NodeSpan, error) {
	names, since := hosts(runs)
	if len(names) == 0 {
		return nil, nil
	}
	var rows []*NodeSpan
	err := tx.db.NewSelect().Model(&rows).Where("cluster_id = ? AND hostname IN (?) AND (ended IS NULL OR ended > ?)",
		clusterID, bun.List(names), since).Scan(ctx)
	return byHost(rows), err
}

func byHost(rows []*NodeSpan) map[string][]hpc.NodeSpan {
	spans := map[string][]hpc.NodeSpan{}
	for _, s := range rows {
		spans[s.Hostname] = append(spans[s.Hostname], s.HPC())
	}
	for _, list := range spans {
		slices.SortFunc(list, compareSpans)
	}
	return spans
}

// AllSpans returns all spans of a cluster's nodes, in the order they began.
func (tx Tx) AllSpans(ctx context.Context, clusterID string) ([]*NodeSpan, error) {
	var rows []*NodeSpan
	err := tx.db.NewSelect().Model(&rows).Where("cluster_id = ?", clusterID).Order("began", "node_id").Scan(ctx)
	return rows, err
}
