package store

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// Budget is a row of budgets: one that was set over the API.
type Budget struct {
	bun.BaseModel `bun:"table:budgets"`

	ClusterID string `bun:",pk"`
	Queue     string `bun:",pk"`
	Account   string `bun:",pk"`
	Amount    hpc.Money
	Action    hpc.BudgetAction
	Changed   time.Time
}

// HPC is the budget by its rules.
func (b *Budget) HPC() hpc.Budget {
	return hpc.Budget{BudgetTarget: hpc.BudgetTarget{Queue: b.Queue, Account: b.Account}, Limit: b.Amount, Action: b.Action}
}

// BudgetMark is a row of budget_marks.
type BudgetMark struct {
	bun.BaseModel `bun:"table:budget_marks"`

	ClusterID string         `bun:",pk"`
	Queue     string         `bun:",pk"`
	Account   string         `bun:",pk"`
	Mark      hpc.BudgetMark `bun:",type:text"`
}

// SetBudget adds a budget, or replaces that of the same target.
func (tx Tx) SetBudget(ctx context.Context, b *Budget) error {
	_, err := tx.db.NewInsert().Model(b).On("CONFLICT (cluster_id, queue, account) DO UPDATE").
		Set("amount = EXCLUDED.amount").Set("action = EXCLUDED.action").Set("changed = EXCLUDED.changed").Exec(ctx)
	return err
}

// DeleteBudget removes a budget; ErrConflict when there is none.
func (tx Tx) DeleteBudget(ctx context.Context, clusterID string, of hpc.BudgetTarget) error {
	return one(tx.db.NewDelete().Model((*Budget)(nil)).
		Where("cluster_id = ? AND queue = ? AND account = ?", clusterID, of.Queue, of.Account).Exec(ctx))
}

// DropBudget removes the budget of a queue or an account that goes, if there is
// one, and how far its month has got.
func (tx Tx) DropBudget(ctx context.Context, clusterID string, of hpc.BudgetTarget) error {
	_, err := tx.db.NewDelete().Model((*Budget)(nil)).
		Where("cluster_id = ? AND queue = ? AND account = ?", clusterID, of.Queue, of.Account).Exec(ctx)
	if err != nil {
		return err
	}
	return tx.DropBudgetMark(ctx, clusterID, of)
}

// SetBudgets returns the budgets of a cluster that were set over the API.
func (tx Tx) SetBudgets(ctx context.Context, clusterID string) ([]*Budget, error) {
	var rows []*Budget
	err := tx.db.NewSelect().Model(&rows).Where("cluster_id = ?", clusterID).Order("account", "queue").Scan(ctx)
	return rows, err
}

// Budgets returns the budgets that stand in a cluster, those of the configuration
// first: they beat those of the API. What a queue or an account has is there as
// long as that is.
func (tx Tx) Budgets(ctx context.Context, clusterID string, file []hpc.FileBudget) (hpc.Budgets, error) {
	list := hpc.FileBudgets(file, clusterID)
	rows, err := tx.SetBudgets(ctx, clusterID)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if b := row.HPC(); !slices.ContainsFunc(list, func(o hpc.Budget) bool { return o.BudgetTarget == b.BudgetTarget }) {
			list = append(list, b)
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	marks, err := tx.BudgetMarks(ctx, clusterID)
	standing := make(hpc.Budgets, len(list))
	for i, b := range list {
		standing[i] = hpc.StandingBudget{Budget: b, Mark: marks[b.BudgetTarget]}
	}
	return standing, err
}

// HasBudgetTarget tells whether the cluster has the queue or the account that a
// budget is for.
func (tx Tx) HasBudgetTarget(ctx context.Context, clusterID string, of hpc.BudgetTarget) (bool, error) {
	switch {
	case of.Queue != "":
		return tx.db.NewSelect().Model((*Queue)(nil)).Where("cluster_id = ? AND name = ?", clusterID, of.Queue).Exists(ctx)
	case of.Account != "":
		return tx.db.NewSelect().Model((*Account)(nil)).Where("cluster_id = ? AND name = ? AND deleted IS NULL", clusterID, of.Account).Exists(ctx)
	}
	return true, nil
}

// BudgetMarks returns how far the budgets of a cluster have got.
func (tx Tx) BudgetMarks(ctx context.Context, clusterID string) (map[hpc.BudgetTarget]hpc.BudgetMark, error) {
	var rows []*BudgetMark
	err := tx.db.NewSelect().Model(&rows).Where("cluster_id = ?", clusterID).Scan(ctx)
	marks := map[hpc.BudgetTarget]hpc.BudgetMark{}
	for _, row := range rows {
		marks[hpc.BudgetTarget{Queue: row.Queue, Account: row.Account}] = row.Mark
	}
	return marks, err
}

// NoteBudget writes how far a budget has got.
func (tx Tx) NoteBudget(ctx context.Context, clusterID string, of hpc.BudgetTarget, mark hpc.BudgetMark) error {
	row := &BudgetMark{ClusterID: clusterID, Queue: of.Queue, Account: of.Account, Mark: mark}
	_, err := tx.db.NewInsert().Model(row).On("CONFLICT (cluster_id, queue, account) DO UPDATE").Set("mark = EXCLUDED.mark").Exec(ctx)
	return err
}

// DropBudgetMark forgets how far a budget has got.
func (tx Tx) DropBudgetMark(ctx context.Context, clusterID string, of hpc.BudgetTarget) error {
	_, err := tx.db.NewDelete().Model((*BudgetMark)(nil)).
		Where("cluster_id = ? AND queue = ? AND account = ?", clusterID, of.Queue, of.Account).Exec(ctx)
	return err
}

// SpentOf is what of the spending is paid from a budget: all of a cluster's, the
// nodes of a queue with their idle time, or an account's jobs.
func SpentOf(of hpc.BudgetTarget, spends []Spend) (sum hpc.Money) {
	for _, s := range spends {
		if of.Covers(s.Queue, s.Account) {
			sum += s.Cost
		}
	}
	return sum
}
