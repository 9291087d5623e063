package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/plain"
	"ehpc/internal/provider"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// settle plans until there is room for all that is added: of a type that there
// is no capacity for no more are added than there are, and the next one is tried.
func (ctl *Control) settle(ctx context.Context, tx store.Tx, v *scaleView, now time.Time) ([]scaleStep, error) {
	return ctl.settleBeside(ctx, v, func() ([]hpc.InstanceType, error) { return tx.UnmadeTypes(ctx, ctl.Home) }, now)
}

// settleBeside settles beside machines that are wanted and not made yet; they
// are asked for only if some are added.
func (ctl *Control) settleBeside(ctx context.Context, v *scaleView, pending func() ([]hpc.InstanceType, error), now time.Time) ([]scaleStep, error) {
	v.Room, v.Stock, v.Scarce = map[string]int{}, nil, map[string]string{}
	steps := planScale(now, v)
	if !adds(steps) {
		return steps, nil
	}
	beside, err := pending()
	if err != nil {
		return nil, err
	}
	for {
		settled, err := ctl.haveRoom(ctx, v, steps, beside)
		if err != nil || settled {
			return steps, err
		}
		steps = planScale(now, v)
	}
}

func adds(steps []scaleStep) bool {
	for _, s := range steps {
		if s.Act == addNodes {
			return true
		}
	}
	return false
}

// haveRoom tells whether the machines have room for all that is added. If not,
// the view knows more than before.
func (ctl *Control) haveRoom(ctx context.Context, v *scaleView, steps []scaleStep, pending []hpc.InstanceType) (bool, error) {
	used := map[string]int{}
	for _, s := range steps {
		if s.Act != addNodes {
			continue
		}
		if set := v.of(s.Queue); set.ByInventory && v.Stock == nil {
			return false, ctl.takeStock(ctx, v, pending)
		}
		count, why, err := ctl.fitting(ctx, pending, s.Offer.InstanceType, s.Count)
		if err != nil {
			return false, err
		}
		if name := s.Offer.Name; count < s.Count {
			room := used[name] + count
			if before, known := v.Room[name]; known && room >= before {
				room = 0 // what else is added has changed under it; it must end
			}
			v.Room[name], v.Scarce[name] = room, why
			return false, nil
		}
		used[s.Offer.Name] += s.Count
		for range s.Count {
			pending = append(pending, s.Offer.InstanceType)
		}
	}
	return true, nil
}

// takeStock counts how many nodes of each type of the queues that go by that
// could be made, up to what a cluster may have.
func (ctl *Control) takeStock(ctx context.Context, v *scaleView, pending []hpc.InstanceType) error {
	v.Stock = map[string]int{}
	for _, set := range v.Own {
		for _, t := range set.Types {
			if _, known := v.Stock[t.Name]; known || !set.ByInventory {
				continue
			}
			count, _, err := ctl.fitting(ctx, pending, v.Tariff.Types[t.Name], v.Limit)
			if err != nil {
				return err
			}
			v.Stock[t.Name] = count
		}
	}
	return nil
}

// fitting is how many machines of a type have room beside those that are wanted
// and not made yet, up to most, and why not all.
func (ctl *Control) fitting(ctx context.Context, pending []hpc.InstanceType, kind hpc.InstanceType, most int) (count int, why string, err error) {
	low, high := 0, most // low fit; the first try is all
	for n := high; low < high; n = (low + high + 1) / 2 {
		more := pending[:len(pending):len(pending)]
		for range n {
			more = append(more, kind)
		}
		switch err := ctl.Provider.Fits(ctx, more); {
		case err == nil:
			low = n
		case errors.Is(err, provider.ErrNoCapacity):
			high, why = n-1, plain.Text(err)
		default:
			return 0, "", err
		}
	}
	return low, why, nil
}

// giveUp lets a node go that was added here and that there is no capacity for,
// unless its queue does not grow any more. Its type is left alone, and the queue's
// next round begins at once, with another type.
func (ctl *Control) giveUp(ctx context.Context, n *store.Node, cause error) (given bool, err error) {
	now := time.Now()
	err = ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		given = false
		c, err := tx.LockCluster(ctx, n.ClusterID)
		if err != nil {
			return err
		}
		v := &scaleView{Minute: ctl.Limits.Minute}
		if v.Nodes, err = tx.Nodes(ctx, c.ID); err != nil {
			return err
		}
		if err := v.read(ctx, tx, c, scheduler.Observation{}, ""); err != nil {
			return err
		}
		p := &scalePlanner{scaleView: v, excluded: v.Config.Settings.Excluded()}
		wanted := slices.ContainsFunc(v.Nodes, func(row *store.Node) bool { return row.ID == n.ID && row.Wanted })
		if !c.Wanted || !wanted || !v.of(n.Queue).Grow || p.isExcluded(n) {
			return nil
		}
		given = true
		return giveUpFor(ctx, tx, v, n, plain.Text(cause), now)
	})
	if given && err == nil {
		ctl.Log.Warn("node given up for want of capacity", "cluster", n.ClusterID, "node", n.ID, "err", cause)
		ctl.nodes.Wake()
		ctl.scale.Wake()
	}
	return given, err
}

func giveUpFor(ctx context.Context, tx store.Tx, v *scaleView, n *store.Node, why string, now time.Time) error {
	if err := tx.UnwantNode(ctx, n, true, now); err != nil {
		return err
	}
	row := *v.Config
	row.Rounds, row.Resting = maps.Clone(row.Rounds), rested(row.Resting, now)
	delete(row.Rounds, n.Queue)
	name := n.InstanceType.Name
	if _, already := row.Resting[name]; !already {
		row.Resting[name] = v.restUntil(now)
		if err := tx.Log(ctx, row.ClusterID, scaleOperation, store.Warn, restLine(name, row.Resting[name], why), now); err != nil {
			return err
		}
	}
	if err := tx.NoteScale(ctx, &row); err != nil {
		return err
	}
	s := scaleStep{Act: giveUpNode, Queue: n.Queue, Node: n, Reason: "there is no capacity for it"}
	return tx.Log(ctx, row.ClusterID, scaleOperation, store.Warn, s.line(), now)
}

func (v *scaleView) restUntil(now time.Time) time.Time { return now.Add(v.minutes(restMinutes)) }

func restLine(name string, until time.Time, why string) string {
	return fmt.Sprintf("instance type %s is left alone until %s: %s", name, until.UTC().Format("15:04:05 UTC"), why)
}
