package reconcile

import (
	"context"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// passLedger keeps what nodes cost up to date: prices change without anything
// else happening.
func (ctl *Control) passLedger(ctx context.Context) error {
	clusters, _, err := ctl.Store.Read().Clusters(ctx, "", store.Page{})
	if err != nil {
		return err
	}
	for _, c := range clusters {
		ctx, here := ctl.held(ctx, c.ID)
		if !here {
			continue
		}
		now := time.Now()
		nodes, err := ctl.Store.Nodes(ctx, c.ID)
		if err != nil {
			return err
		}
		turns, err := ctl.spanTurns(ctx, ctl.Store.Read(), c.ID, nodes, now)
		if err != nil {
			return err
		}
		if len(turns) == 0 {
			continue
		}
		err = ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
			return ctl.syncSpans(ctx, tx, c.ID, now)
		})
		if settled(err) != nil {
			return err
		}
	}
	return nil
}

// record writes down runs, by the prices up to now.
func (ctl *Control) record(ctx context.Context, tx store.Tx, clusterID string, l store.Ledger, now time.Time) error {
	if l.Empty() {
		return nil
	}
	if err := ctl.syncSpans(ctx, tx, clusterID, now); err != nil {
		return err
	}
	return tx.RecordRuns(ctx, clusterID, l)
}

// spanTurn is what has become of a node's span.
type spanTurn struct {
	nodeID string
	begin  bool // it has none
	price  hpc.Money
	at     time.Time
}

// spanTurns are the spans that are not what they should be: of nodes that got
// their machines before there was a ledger, and those whose price has changed.
func (ctl *Control) spanTurns(ctx context.Context, tx store.Tx, clusterID string, nodes []*store.Node, now time.Time) ([]spanTurn, error) {
	open, err := tx.OpenSpans(ctx, clusterID)
	if err != nil {
		return nil, err
	}
	return planSpans(now, nodes, open, ctl.Tariff), nil
}

func (ctl *Control) syncSpans(ctx context.Context, tx store.Tx, clusterID string, now time.Time) error {
	nodes, err := tx.Nodes(ctx, clusterID)
	if err != nil {
		return err
	}
	turns, err := ctl.spanTurns(ctx, tx, clusterID, nodes, now)
	if err != nil {
		return err
	}
	for _, turn := range turns {
		if turn.begin {
			err = tx.BeginSpan(ctx, turn.nodeID, turn.price, turn.at)
		} else {
			err = tx.TurnSpan(ctx, turn.nodeID, turn.at, func(s *store.NodeSpan) { s.Price = turn.price })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// planSpans says which spans begin, and which go on with another price. A spot
// price counts from when it changed, also if that is noticed later; another list
// price, which came with a new configuration, from now.
func planSpans(now time.Time, nodes []*store.Node, open []*store.NodeSpan, tariff hpc.Tariff) (turns []spanTurn) {
	spans := map[string]*store.NodeSpan{}
	for _, s := range open {
		spans[s.NodeID] = s
	}
	for _, n := range nodes {
		s := spans[n.ID]
		if s == nil {
			if n.Status == hpc.NodeInit || n.Status == hpc.NodeReady || n.Status == hpc.NodeRunning {
				turns = append(turns, spanTurn{n.ID, true, nodePrice(tariff, n, now), now})
			}
			continue
		}
		price := s.Price
		turn := func(at time.Time) {
			if p := nodePrice(tariff, n, at); p != price {
				turns = append(turns, spanTurn{n.ID, false, p, at})
				price = p
			}
		}
		if n.SpotStrategy.Preemptible() {
			for at := tariff.SpotChange(n.InstanceType.Name, s.Began); !at.IsZero() && !at.After(now); at = tariff.SpotChange(n.InstanceType.Name, at) {
				turn(at)
			}
		}
		turn(now)
	}
	return turns
}

func (ctl *Control) priceOf(n *store.Node, at time.Time) hpc.Money {
	return nodePrice(ctl.Tariff, n, at)
}

// nodePrice is what a node costs at a moment, per hour. A type that is not
// configured any more has its last price.
func nodePrice(tariff hpc.Tariff, n *store.Node, at time.Time) hpc.Money {
	t, known := tariff.Types[n.InstanceType.Name]
	switch {
	case !known:
		return hpc.MoneyOf(n.InstanceType.Price)
	case n.SpotStrategy.Preemptible():
		return hpc.MoneyOf(tariff.SpotPrice(t.Name, at))
	}
	return hpc.MoneyOf(t.Price)
}
