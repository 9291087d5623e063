package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

var budgetTime = time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)

func limited(of hpc.BudgetTarget, limit float64, action hpc.BudgetAction) hpc.StandingBudget {
	return hpc.StandingBudget{Budget: hpc.Budget{BudgetTarget: of, Limit: hpc.MoneyOf(limit), Action: action}}
}

// reached is a budget whose limit is reached.
func reached(of hpc.BudgetTarget, action hpc.BudgetAction) hpc.StandingBudget {
	b := limited(of, 1, action)
	b.Mark, _ = b.Note(budgetTime, hpc.BudgetMark{}, hpc.MoneyOf(2), "CNY")
	return b
}

// do writes down what was planned, as the loop does.
func (v *budgetsView) do(steps []budgetStep) (lines []string) {
	for _, s := range steps {
		if s.Gone {
			delete(v.Marks, s.Target)
		} else {
			v.Marks[s.Target] = s.Mark
		}
		if s.Line != "" {
			lines = append(lines, s.Line)
		}
	}
	for i, b := range v.Standing {
		v.Standing[i].Mark = v.Marks[b.BudgetTarget]
	}
	return lines
}

func TestEachBudgetIsAgainstItsPartOfTheSpending(t *testing.T) {
	t.Parallel()
	v := &budgetsView{Currency: "CNY", Marks: map[hpc.BudgetTarget]hpc.BudgetMark{}, Standing: hpc.Budgets{
		limited(hpc.BudgetTarget{}, 1000, hpc.BudgetWarn), limited(hpc.BudgetTarget{Queue: "night"}, 1000, hpc.BudgetStop),
		limited(hpc.BudgetTarget{Account: "ada"}, 1000, hpc.BudgetHold)}}
	for _, s := range []store.Spend{{Cost: 1}, {Queue: "night", Cost: 2}, {Queue: "night", Account: "ada", Cost: 4}, {Queue: "day", Account: "ada", Cost: 8}, {Queue: "night", Account: "bob", Cost: 16}} {
		s.Cost = hpc.MoneyOf(float64(s.Cost))
		v.Spends = append(v.Spends, s)
	}
	v.do(planBudgets(budgetTime, v))
	for i, want := range []float64{31, 22, 12} {
		if got := v.Standing[i].Mark.Spent; got != hpc.MoneyOf(want) {
			t.Errorf("%s: %s are spent, want %v", v.Standing[i].BudgetTarget, got, want)
		}
	}
}

func TestAPlanOfBudgetsComesToRest(t *testing.T) {
	t.Parallel()
	account := hpc.BudgetTarget{Account: "ada"}
	v := &budgetsView{Currency: "CNY", Marks: map[hpc.BudgetTarget]hpc.BudgetMark{}, Standing: hpc.Budgets{limited(account, 10, hpc.BudgetHold)},
		Spends: []store.Spend{{Account: "ada", Cost: hpc.MoneyOf(11)}}}
	if lines := v.do(planBudgets(budgetTime, v)); len(lines) != 1 {
		t.Errorf("the log has %q", lines)
	}
	if steps := planBudgets(budgetTime.Add(time.Second), v); len(steps) != 0 {
		t.Errorf("a second later there is %+v to do", steps)
	}
	v.Spends[0].Cost++
	if steps := planBudgets(budgetTime.Add(time.Second), v); len(steps) != 0 {
		t.Errorf("a second later the amount is written again: %+v", steps)
	}
	if steps := planBudgets(budgetTime.Add(time.Minute), v); len(steps) != 1 || steps[0].Line != "" {
		t.Errorf("a minute later the plan is %+v, want the new amount", steps)
	}
	v.Standing = nil // deleted with its account, or from the configuration
	if lines := v.do(planBudgets(budgetTime, v)); len(v.Marks) != 0 || len(lines) != 1 || !strings.Contains(lines[0], "the budget of account ada, which was reached, is no more") {
		t.Errorf("the marks are %v, the log has %q", v.Marks, lines)
	}
}

func TestABudgetKeepsAQueueFromGrowingAndNotFromShrinking(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		budget hpc.StandingBudget
		grows  bool
	}{
		"the cluster's":       {reached(hpc.BudgetTarget{}, hpc.BudgetStop), false},
		"the queue's":         {reached(hpc.BudgetTarget{Queue: "workq"}, hpc.BudgetStop), false},
		"another queue's":     {reached(hpc.BudgetTarget{Queue: "night"}, hpc.BudgetStop), true},
		"one that only warns": {reached(hpc.BudgetTarget{}, hpc.BudgetWarn), true},
		"one that holds jobs": {reached(hpc.BudgetTarget{}, hpc.BudgetHold), true},
		"one not reached":     {limited(hpc.BudgetTarget{}, 1, hpc.BudgetStop), true},
		"another account's":   {reached(hpc.BudgetTarget{Account: "bob"}, hpc.BudgetStop), true},
		"of the month before": {func() hpc.StandingBudget {
			b := reached(hpc.BudgetTarget{}, hpc.BudgetStop)
			b.Mark.Month = "2026-10"
			return b
		}(), true},
		"one that lets nothing be spent": {func() hpc.StandingBudget { b := reached(hpc.BudgetTarget{}, hpc.BudgetStop); b.Limit = 0; return b }(), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := scaleViewOf(1)
			v.Budgets, v.Currency = hpc.Budgets{c.budget}, "CNY"
			v.Own["workq"] = hpc.QueueScale{Grow: true, Shrink: true, MinNodes: 3}
			v.wait(40, waiting{Queue: "workq", Nodes: 1, Cores: 4})
			steps := planScale(budgetTime, v)
			adds := slices.ContainsFunc(steps, func(s scaleStep) bool { return s.Act == addNodes })
			if adds != c.grows {
				t.Fatalf("the plan is %s", summary(steps))
			}
			i := slices.IndexFunc(steps, func(s scaleStep) bool { return s.Act == addNone })
			if c.grows {
				return
			}
			if i < 0 || !strings.Contains(steps[i].Reason, c.budget.BudgetTarget.String()+" is reached: 2.00 of ") {
				t.Fatalf("the plan does not tell why: %+v", steps)
			}
			v.Config.Said["workq"] = steps[i].Limit
			if again := planScale(budgetTime, v); slices.ContainsFunc(again, func(s scaleStep) bool { return s.Act == addNone }) {
				t.Error("it tells so once more")
			}
			v.Waiting, v.Own["workq"] = nil, hpc.QueueScale{Grow: true, Shrink: true}
			v.Nodes[1].Idle = v.Config.Settings.ShrinkIdleTimes
			if steps := planScale(budgetTime, v); !slices.ContainsFunc(steps, func(s scaleStep) bool { return s.Act == drainIdle }) {
				t.Errorf("an idle node stays: %s", summary(steps))
			}
		})
	}
}

func TestJobsOfAnAccountWithoutMoneyNeedNoNodes(t *testing.T) {
	t.Parallel()
	v := scaleViewOf(0)
	v.At = budgetTime
	var seen scheduler.Observation
	for i, owner := range []string{"ada", "bob", ""} {
		id := fmt.Sprint(i)
		if owner != "" {
			v.Jobs = append(v.Jobs, &store.Job{SchedID: id, Owner: owner, Wanted: true, Token: "t"})
		}
		seen.Queue = append(seen.Queue, scheduler.Job{ID: id, Queue: "workq", State: hpc.JobPending, Cores: 1}, scheduler.Job{ID: id, Queue: "workq", State: hpc.JobRunning})
	}
	count := func() (n int) {
		for _, c := range waitingJobs(v.Jobs, v.affordable(seen), nil) {
			n += c.Count
		}
		return n
	}
	if n := count(); n != 3 {
		t.Errorf("without a budget %d jobs count", n)
	}
	v.Budgets = hpc.Budgets{reached(hpc.BudgetTarget{Account: "ada"}, hpc.BudgetStop)}
	if n := count(); n != 1 {
		t.Errorf("%d jobs count, want bob's alone: that of nobody may be ada's", n)
	}
	v.Budgets[0].Action = hpc.BudgetHold
	if n := count(); n != 3 {
		t.Errorf("with a budget that holds new jobs %d count", n)
	}
	if len(seen.Queue) != 6 {
		t.Error("what was observed was changed")
	}
}
