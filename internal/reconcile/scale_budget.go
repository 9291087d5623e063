package reconcile

import (
	"slices"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// affordable is what was observed without the jobs of accounts for which
// no node may be added. Where there are such accounts, a job counts once its row
// tells whose it is.
func (v *scaleView) affordable(seen scheduler.Observation) scheduler.Observation {
	stopped := map[string]bool{}
	for _, b := range v.Budgets {
		if b.Account != "" && b.Action == hpc.BudgetStop && !b.Reached(v.At).IsZero() {
			stopped[b.Account] = true
		}
	}
	if len(stopped) == 0 {
		return seen
	}
	owners := map[string]string{}
	for _, row := range v.Jobs {
		owners[row.SchedID] = row.Owner
	}
	seen.Queue = slices.DeleteFunc(slices.Clone(seen.Queue), func(j scheduler.Job) bool {
		owner, known := owners[j.Whole()]
		return !known || stopped[owner]
	})
	return seen
}

// overspent tells whether a budget keeps a queue from growing, and tells it once
// if the queue would grow.
func (p *scalePlanner) overspent(queue string, set hpc.QueueScale) bool {
	by := p.Budgets.Stopping(p.now, queue, "")
	if by == nil {
		return false
	}
	have := p.count(func(n *store.Node) bool { return n.Queue == queue && n.Wanted })
	waits := slices.ContainsFunc(p.Waiting, func(c crowd) bool { return c.Queue == queue })
	limit := by.BudgetTarget.String() + " is reached"
	if p.Explain || set.Grow && (waits || have < set.MinNodes) && p.Config.Said[queue] != limit {
		p.add(scaleStep{Act: addNone, Queue: queue, Limit: limit, Reason: by.StopReason(p.now, p.Currency)})
	}
	return true
}
