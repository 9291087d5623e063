package reconcile

import (
	"context"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// passBudgets looks at what clusters spend.
func (ctl *Control) passBudgets(ctx context.Context) error {
	stands := func(c *store.Cluster) bool { return c.Wanted } // its nodes cost, whether it runs or not
	_, err := ctl.eachCluster(ctx, stands, "budgets", 30*time.Second, "cannot look at budgets", func(ctx context.Context, c *store.Cluster) error {
		return ctl.watchBudgets(ctx, c.ID)
	})
	return err
}

// watchBudgets decides without holding up anybody first, and, if there is
// something to note, once more on the rows that it then changes.
func (ctl *Control) watchBudgets(ctx context.Context, clusterID string) error {
	now := time.Now()
	v, err := ctl.observeBudgets(ctx, ctl.Store.Read(), clusterID, now)
	if err != nil || len(planBudgets(now, v)) == 0 {
		return err
	}
	err = ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.LockCluster(ctx, clusterID); err != nil {
			return err
		}
		v, err := ctl.observeBudgets(ctx, tx, clusterID, now)
		if err != nil {
			return err
		}
		for _, s := range planBudgets(now, v) {
			if err := applyBudget(ctx, tx, clusterID, s, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range []*Loop{ctl.releases, ctl.scale, ctl.nodes} {
		l.Wake()
	}
	return nil
}

// budgetsView is what planBudgets decides on.
type budgetsView struct {
	Standing hpc.Budgets
	Marks    map[hpc.BudgetTarget]hpc.BudgetMark // also of budgets that there are no more
	Spends   []store.Spend                       // of the month so far
	Currency string
}

func (ctl *Control) observeBudgets(ctx context.Context, tx store.Tx, clusterID string, now time.Time) (*budgetsView, error) {
	v := &budgetsView{Currency: ctl.Currency}
	var err error
	if v.Marks, err = tx.BudgetMarks(ctx, clusterID); err != nil {
		return nil, err
	}
	list, err := tx.Budgets(ctx, clusterID, ctl.Budgets)
	if err != nil {
		return nil, err
	}
	for _, b := range list {
		there, err := tx.HasBudgetTarget(ctx, clusterID, b.BudgetTarget)
		if err != nil {
			return nil, err
		}
		if there {
			v.Standing = append(v.Standing, b)
		}
	}
	if len(v.Standing) > 0 {
		_, month, _ := hpc.Month(now)
		v.Spends, err = tx.Spend(ctx, clusterID, month, now)
	}
	return v, err
}

// budgetStep is what is noted of one budget.
type budgetStep struct {
	Target hpc.BudgetTarget
	Mark   hpc.BudgetMark
	Gone   bool   // there is no such budget any more
	Line   string // for the cluster's log, "" for none
}

// planBudgets says what has changed with a cluster's budgets.
func planBudgets(now time.Time, v *budgetsView) (steps []budgetStep) {
	for _, b := range v.Standing {
		mark, line := b.Note(now, b.Mark, store.SpentOf(b.BudgetTarget, v.Spends), v.Currency)
		if line != "" || mark.Newer(b.Mark) {
			steps = append(steps, budgetStep{Target: b.BudgetTarget, Mark: mark, Line: line})
		}
	}
	for of, mark := range v.Marks {
		if slices.ContainsFunc(v.Standing, func(b hpc.StandingBudget) bool { return b.BudgetTarget == of }) {
			continue
		}
		s := budgetStep{Target: of, Gone: true}
		if !mark.Reached.IsZero() {
			s.Line = of.String() + ", which was reached, is no more"
		}
		steps = append(steps, s)
	}
	return steps
}

func applyBudget(ctx context.Context, tx store.Tx, clusterID string, s budgetStep, now time.Time) error {
	var err error
	if s.Gone {
		err = tx.DropBudgetMark(ctx, clusterID, s.Target)
	} else {
		err = tx.NoteBudget(ctx, clusterID, s.Target, s.Mark)
	}
	if err != nil || s.Line == "" {
		return err
	}
	return tx.Log(ctx, clusterID, "Budget", store.Warn, s.Line, now)
}

// payable leaves out the jobs that a budget holds.
func (ctl *Control) payable(ctx context.Context, clusterID string, rows []*store.Job) ([]*store.Job, error) {
	budgets, err := ctl.Store.Read().Budgets(ctx, clusterID, ctl.Budgets)
	if err != nil || len(budgets) == 0 {
		return rows, err
	}
	now := time.Now()
	return slices.DeleteFunc(rows, func(j *store.Job) bool {
		return budgets.Holding(now, j.Queue, j.Owner, j.SubmittedBy()) != nil
	}), nil
}
