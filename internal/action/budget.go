package action

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// SetBudget limits what a cluster, a queue or an account may spend in a calendar
// month. A limit that is reached already holds from the answer on.
func (s *Service) SetBudget(ctx context.Context, q *api.SetBudgetRequest) (*api.SetBudgetResponse, error) {
	const attempt = "set the budget"
	b := hpc.Budget{BudgetTarget: hpc.BudgetTarget{Queue: q.QueueName, Account: q.UserName}, Action: hpc.BudgetAction(orElse(q.LimitAction, string(hpc.BudgetWarn)))}
	if err := hpc.CheckBudget(q.Limit, b.Action); err != nil {
		return nil, api.InvalidParams.Errorf("cannot %s: Limit, LimitAction: %v", attempt, err)
	}
	b.Limit = hpc.MoneyOf(q.Limit)
	return changeBudget(ctx, s, q.ClusterId, b.BudgetTarget, attempt, func(ctx context.Context, tx store.Tx, c *store.Cluster, now time.Time) (*api.SetBudgetResponse, error) {
		if lack, err := budgetLacks(ctx, tx, c.ID, b.BudgetTarget); err != nil {
			return nil, err
		} else if lack != "" && b.Queue != "" {
			return nil, api.ObjectNotFound.Errorf("cannot %s: QueueName: %s", attempt, lack)
		} else if lack != "" {
			return nil, api.AgentErrorAccountUserNotExist.Errorf("cannot %s: UserName: %s", attempt, lack)
		}
		if err := s.roomForBudget(ctx, tx, c, b.BudgetTarget, attempt); err != nil {
			return nil, err
		}
		row := &store.Budget{ClusterID: c.ID, Queue: b.Queue, Account: b.Account, Amount: b.Limit, Action: b.Action, Changed: now}
		if err := tx.SetBudget(ctx, row); err != nil {
			return nil, err
		}
		line := fmt.Sprintf("%s is %s %s a month, at the limit: %s", b.BudgetTarget, b.Limit, s.Config.Currency, b.Action)
		if err := tx.Log(ctx, c.ID, "SetBudget", store.Info, line, now); err != nil {
			return nil, err
		}
		return &api.SetBudgetResponse{}, s.noteBudget(ctx, tx, c.ID, b, now)
	})
}

// DeleteBudget deletes a budget that was set over the API.
func (s *Service) DeleteBudget(ctx context.Context, q *api.DeleteBudgetRequest) (*api.DeleteBudgetResponse, error) {
	const attempt = "delete the budget"
	of := hpc.BudgetTarget{Queue: q.QueueName, Account: q.UserName}
	return changeBudget(ctx, s, q.ClusterId, of, attempt, func(ctx context.Context, tx store.Tx, c *store.Cluster, now time.Time) (*api.DeleteBudgetResponse, error) {
		if err := tx.DeleteBudget(ctx, c.ID, of); errors.Is(err, store.ErrConflict) {
			return nil, api.ObjectNotFound.Errorf("cannot %s: %s: cluster %s does not have %s", attempt, budgetParam(of), c.ID, of)
		} else if err != nil {
			return nil, err
		}
		if err := tx.DropBudgetMark(ctx, c.ID, of); err != nil {
			return nil, err
		}
		return &api.DeleteBudgetResponse{}, tx.Log(ctx, c.ID, "DeleteBudget", store.Info, of.String()+" is deleted", now)
	})
}

// changeBudget runs fn on one of the caller's clusters, unless the budget is the
// configuration's.
func changeBudget[A any](ctx context.Context, s *Service, clusterID string, of hpc.BudgetTarget, attempt string,
	fn func(ctx context.Context, tx store.Tx, c *store.Cluster, now time.Time) (*A, error)) (*A, error) {
	if of.Queue != "" && of.Account != "" {
		return nil, api.InvalidParams.Errorf("cannot %s: QueueName, UserName: a budget is for a queue or for an account", attempt)
	}
	now := time.Now()
	answer, err := change(ctx, s, func(ctx context.Context, tx store.Tx) (*A, error) {
		c, err := s.lockCluster(ctx, tx, clusterID)
		if err != nil {
			return nil, err
		}
		if !c.Wanted {
			return nil, api.InvalidClusterStatus.Errorf("cannot %s: cluster %s is being deleted", attempt, c.ID)
		}
		for _, b := range hpc.FileBudgets(s.Config.Budgets, c.ID) {
			if b.BudgetTarget == of {
				return nil, api.ConflictOpt.Errorf("cannot %s: %s: the service's configuration has %s, %s %s: it is changed there", attempt, budgetParam(of), of, b.Limit, s.Config.Currency)
			}
		}
		return fn(ctx, tx, c, now)
	})
	if err == nil {
		s.Submitted() // what was held may start
	}
	return answer, err
}

// budgetParam is the parameter that names what a budget is for.
func budgetParam(of hpc.BudgetTarget) string {
	switch {
	case of.Queue != "":
		return "QueueName"
	case of.Account != "":
		return "UserName"
	}
	return "ClusterId"
}

// budgetLacks is what of a budget's target the cluster does not have; "" if it is
// there.
func budgetLacks(ctx context.Context, tx store.Tx, clusterID string, of hpc.BudgetTarget) (string, error) {
	there, err := tx.HasBudgetTarget(ctx, clusterID, of)
	switch {
	case err != nil || there:
		return "", err
	case of.Queue != "":
		return fmt.Sprintf("cluster %s has no queue %.80q", clusterID, of.Queue), nil
	}
	return fmt.Sprintf("cluster %s has no account %.80q", clusterID, of.Account), nil
}

// roomForBudget refuses one more than a cluster may have.
func (s *Service) roomForBudget(ctx context.Context, tx store.Tx, c *store.Cluster, of hpc.BudgetTarget, attempt string) error {
	rows, err := tx.SetBudgets(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.HPC().BudgetTarget == of {
			return nil
		}
	}
	if len(rows) >= hpc.MaxBudgets {
		return api.InvalidParams.Errorf("cannot %s: %s: cluster %s has %d budgets, the limit is %d", attempt, budgetParam(of), c.ID, len(rows), hpc.MaxBudgets)
	}
	return nil
}

// noteBudget writes how far a budget that was just set has got.
func (s *Service) noteBudget(ctx context.Context, tx store.Tx, clusterID string, b hpc.Budget, now time.Time) error {
	_, month, _ := hpc.Month(now)
	spends, err := tx.Spend(ctx, clusterID, month, now)
	if err != nil {
		return err
	}
	marks, err := tx.BudgetMarks(ctx, clusterID)
	if err != nil {
		return err
	}
	mark, line := b.Note(now, marks[b.BudgetTarget], store.SpentOf(b.BudgetTarget, spends), s.Config.Currency)
	if err := tx.NoteBudget(ctx, clusterID, b.BudgetTarget, mark); err != nil || line == "" {
		return err
	}
	return tx.Log(ctx, clusterID, "Budget", store.Warn, line, now)
}

// ListBudgets shows a cluster's budgets and what is spent of them this month.
func (s *Service) ListBudgets(ctx context.Context, q *api.ListBudgetsRequest) (*api.ListBudgetsResponse, error) {
	now := time.Now()
	tx := s.Store.Read()
	c, err := s.cluster(ctx, tx, q.ClusterId)
	if err != nil {
		return nil, err
	}
	month, from, _ := hpc.Month(now)
	a := &api.ListBudgetsResponse{Month: month, Currency: s.Config.Currency, Budgets: api.ListBudgetsBudgets{BudgetInfo: []api.ListBudgetsBudgetInfo{}}}
	standing, err := tx.Budgets(ctx, c.ID, s.Config.Budgets)
	if err != nil || len(standing) == 0 {
		return a, err
	}
	spends, err := tx.Spend(ctx, c.ID, from, now)
	if err != nil {
		return nil, err
	}
	fixed := map[hpc.BudgetTarget]bool{}
	for _, b := range standing {
		info := budgetInfo(b, store.SpentOf(b.BudgetTarget, spends), now)
		if info.Reason, err = budgetLacks(ctx, tx, c.ID, b.BudgetTarget); err != nil {
			return nil, err
		}
		info.InEffect = info.Reason == ""
		fixed[b.BudgetTarget] = b.Fixed
		a.Budgets.BudgetInfo = append(a.Budgets.BudgetInfo, info)
	}
	rows, err := tx.SetBudgets(ctx, c.ID)
	for _, row := range rows {
		if b := row.HPC(); fixed[b.BudgetTarget] {
			info := budgetInfo(hpc.StandingBudget{Budget: b}, store.SpentOf(b.BudgetTarget, spends), now)
			info.Reason = "that of the configuration counts"
			a.Budgets.BudgetInfo = append(a.Budgets.BudgetInfo, info)
		}
	}
	return a, err
}

func budgetInfo(b hpc.StandingBudget, spent hpc.Money, now time.Time) api.ListBudgetsBudgetInfo {
	return api.ListBudgetsBudgetInfo{QueueName: b.Queue, UserName: b.Account, Limit: b.Limit.Float(), Spent: spent.Float(),
		Percent: math.Floor(b.Percent(spent)*100) / 100, LimitAction: string(b.Action), ReachedTime: stamp(b.Reached(now)),
		Source: map[bool]string{true: "configuration", false: "api"}[b.Fixed]}
}

// budgets are those that stand in a cluster, for the comments of its jobs.
func (s *Service) budgets(ctx context.Context, clusterID string) (budgetsNow, error) {
	list, err := s.Store.Read().Budgets(ctx, clusterID, s.Config.Budgets)
	if err != nil || len(list) == 0 {
		return budgetsNow{}, err
	}
	now := budgetsNow{list: list, at: time.Now(), currency: s.Config.Currency}
	now.grows, err = s.growth(ctx, clusterID)
	return now, err
}

// growth tells which of a cluster's queues grow by themselves.
func (s *Service) growth(ctx context.Context, clusterID string) (func(queue string) bool, error) {
	scale, own, err := s.Store.Read().Scale(ctx, clusterID)
	return func(queue string) bool {
		for _, q := range own {
			if q.Queue == queue {
				return q.Settings.Grow
			}
		}
		return scale.Settings.Grow
	}, err
}

// budgetsNow tells what a cluster's budgets do to its jobs.
type budgetsNow struct {
	list     hpc.Budgets
	at       time.Time
	currency string
	grows    func(queue string) bool
}

// comment is what keeps a waiting job from running; "" if no budget does.
func (b budgetsNow) comment(j *store.Job) string {
	if len(b.list) == 0 || j.State != hpc.JobPending || !j.Wanted {
		return ""
	}
	if !j.Released {
		if by := b.list.Holding(b.at, j.Queue, j.Owner, j.SubmittedBy()); by != nil {
			return by.HoldReason(b.at, b.currency)
		}
		return ""
	}
	if !hpc.WaitsForNodes(j.Reason) || !b.grows(j.Queue) {
		return ""
	}
	if by := b.list.Stopping(b.at, j.Queue, j.Owner); by != nil {
		return "no node is added for it: " + by.StopReason(b.at, b.currency)
	}
	return ""
}
