package hpc

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// spending takes a budget through moments; each says the amount that is spent.
type spending struct {
	Budget
	mark  BudgetMark
	lines []string
}

func (s *spending) at(t *testing.T, now time.Time, spent float64) {
	t.Helper()
	mark, line := s.Note(now, s.mark, MoneyOf(spent), "CNY")
	text, err := json.Marshal(mark) // as it is kept over restarts
	if err != nil {
		t.Fatal(err)
	}
	s.mark = BudgetMark{}
	if err := json.Unmarshal(text, &s.mark); err != nil {
		t.Fatal(err)
	}
	if s.mark != mark || s.mark.Newer(mark) {
		t.Fatalf("%+v is read back as %+v", mark, s.mark)
	}
	if line != "" {
		s.lines = append(s.lines, line)
	}
}

func (s *spending) said(t *testing.T, words ...string) {
	t.Helper()
	if len(s.lines) != len(words) {
		t.Fatalf("the log has %q, want lines with %q", s.lines, words)
	}
	for i, line := range s.lines {
		if !strings.Contains(line, words[i]) {
			t.Errorf("line %d is %q, want it to say %q", i, line, words[i])
		}
	}
	s.lines = nil
}

var november = time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)

func TestABudgetTellsItsThresholdsOnceAMonth(t *testing.T) {
	t.Parallel()
	s := spending{Budget: Budget{BudgetTarget: BudgetTarget{Queue: "night"}, Limit: MoneyOf(10), Action: BudgetHold}}
	s.at(t, november, 7.99)
	s.said(t)
	s.at(t, november.Add(time.Hour), 8)
	s.at(t, november.Add(2*time.Hour), 9)
	s.said(t, "80 % of the budget of queue night is used: 8.00 of 10.00 CNY are spent in 2026-11")
	reached := november.Add(3 * time.Hour)
	s.at(t, reached, 10.25)
	s.at(t, november.Add(4*time.Hour), 12)
	s.said(t, "the budget of queue night is reached: 10.25 of 10.00 CNY are spent in 2026-11; jobs that are submitted from now on are held")
	if !s.mark.Reached.Equal(reached) {
		t.Errorf("it is reached since %v, want %v", s.mark.Reached, reached)
	}

	s.Limit = MoneyOf(11) // and is still reached: the jobs that it holds stay held
	s.at(t, november.Add(5*time.Hour), 12)
	s.said(t, "is reached: 12.00 of 11.00")
	if !s.mark.Reached.Equal(reached) {
		t.Errorf("raised too little it is reached since %v, want %v", s.mark.Reached, reached)
	}
	s.Limit = MoneyOf(14)
	s.at(t, november.Add(6*time.Hour), 12)
	s.said(t, "is not reached any more: 12.00 of 14.00 CNY are spent in 2026-11; the jobs that it held are let go")
	s.at(t, november.Add(7*time.Hour), 14)
	s.said(t, "is reached: 14.00 of 14.00")
	s.Limit = MoneyOf(100)
	s.at(t, november.Add(8*time.Hour), 14)
	s.said(t, "is not reached any more")
	s.Limit = MoneyOf(15)
	s.at(t, november.Add(9*time.Hour), 14)
	s.said(t, "80 % of")
}

func TestAMonthTurns(t *testing.T) {
	t.Parallel()
	b := Budget{Limit: MoneyOf(10), Action: BudgetHold}
	s := spending{Budget: b}
	end := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	s.at(t, end.Add(-time.Hour), 10)
	s.said(t, "the cluster's budget is reached")
	submitted := end.Add(-time.Minute)
	holding := func(now time.Time) bool {
		return Budgets{{s.Budget, s.mark}}.Holding(now, "workq", "ada", submitted) != nil
	}
	if !holding(end.Add(-time.Millisecond)) {
		t.Error("the month has not ended, and the job is let go")
	}
	east := end.In(time.FixedZone("", 8*3600)).Add(-time.Second) // the first of December there
	if !holding(east) {
		t.Error("months are not UTC's")
	}
	if holding(end) {
		t.Error("the month has ended, and the job is held on a mark of the old one")
	}
	s.at(t, end.Add(time.Second), 0.01)
	s.said(t, "is not reached any more: 0.01 of 10.00 CNY are spent in 2026-12")
	s.at(t, end.Add(time.Hour), 10)
	s.said(t, "is reached: 10.00 of 10.00 CNY are spent in 2026-12")
	if holding(end.Add(2 * time.Hour)) {
		t.Error("a job of the month before is held")
	}
	if name, from, next := Month(time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)); name != "2026-12" || !from.Equal(end) || next != time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) {
		t.Errorf("December is %s from %v to %v", name, from, next)
	}
}

func TestALimitOfZeroIsReachedFromTheBeginningInEveryMonth(t *testing.T) {
	t.Parallel()
	s := spending{Budget: Budget{BudgetTarget: BudgetTarget{Account: "ada"}, Action: BudgetHold}}
	s.at(t, november, 0)
	s.said(t, "the budget of account ada is reached: 0.00 of 0.00 CNY are spent in 2026-11")
	list := Budgets{{s.Budget, s.mark}}
	later := november.AddDate(0, 1, 0)
	by := list.Holding(later, "workq", "ada", november)
	if by == nil || strings.Contains(by.HoldReason(later, "CNY"), "at the latest") {
		t.Errorf("in the next month it is held by %+v", by)
	}
	s.at(t, later, 0)
	s.said(t)
	if list.Holding(later, "workq", "bob", later) != nil {
		t.Error("it holds another account's job")
	}
}

func TestWhatABudgetHoldsAndStops(t *testing.T) {
	t.Parallel()
	reached := func(of BudgetTarget, action BudgetAction) StandingBudget {
		b := Budget{BudgetTarget: of, Limit: 1, Action: action}
		mark, _ := b.Note(november, BudgetMark{}, 1, "CNY")
		return StandingBudget{b, mark}
	}
	list := Budgets{reached(BudgetTarget{}, BudgetWarn), reached(BudgetTarget{Queue: "night"}, BudgetHold),
		reached(BudgetTarget{Account: "ada"}, BudgetStop), reached(BudgetTarget{Queue: "day"}, BudgetStop), reached(BudgetTarget{Queue: DefaultQueue}, BudgetHold)}
	for _, c := range []struct {
		queue, account string
		submitted      time.Time
		held           bool
		stopped        string
	}{
		{"night", "bob", november.Add(-time.Second), false, ""},
		{"night", "bob", november, true, ""},
		{"night", "ada", november, true, "the budget of account ada"},
		{"day", "bob", november, false, "the budget of queue day"},
		{"day", "", november, false, "the budget of queue day"},
		{"other", "", november, false, ""},
		{"other,night", "bob", november, true, ""},
		{"", "bob", november, true, ""},
		{"other", "ada", november, false, "the budget of account ada"},
	} {
		if held := list.Holding(november, c.queue, c.account, c.submitted) != nil; held != c.held {
			t.Errorf("%+v: held is %t", c, held)
		}
		stopped := ""
		if by := list.Stopping(november, c.queue, c.account); by != nil {
			stopped = by.BudgetTarget.String()
		}
		if stopped != c.stopped {
			t.Errorf("%+v: stopped by %q", c, stopped)
		}
	}
	want := "held by the budget of queue night: 0.00 of 0.000000001 CNY are spent in 2026-11; it is let go when the budget is raised, at the latest on 2026-12-01 at 00:00 UTC"
	if got := list[1].HoldReason(november, "CNY"); got != want {
		t.Errorf("the reason is %q", got)
	}
}

func TestAnotherActionCountsFromItsBeginning(t *testing.T) {
	t.Parallel()
	s := spending{Budget: Budget{Limit: MoneyOf(1), Action: BudgetWarn}}
	s.at(t, november, 2)
	s.said(t, "nothing is kept from running")
	s.Action = BudgetHold
	s.at(t, november.Add(time.Hour), 2)
	s.said(t, "jobs that are submitted from now on are held")
	if (Budgets{{s.Budget, s.mark}}).Holding(november.Add(time.Hour), "", "", november.Add(time.Minute)) != nil {
		t.Error("it holds a job from before it was to hold any")
	}
}

// Whatever is spent and set, a threshold is told at most once for a month and a
// setting unless less was spent in between, and the limit is reached exactly
// while as much is spent.
func TestBudgetsOfAnyKind(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 65))
		s := spending{Budget: Budget{Limit: MoneyOf(float64(r.IntN(20))), Action: BudgetActions[r.IntN(3)]}}
		now, spent := november, 0.0
		for range 100 {
			before := s.mark
			now = now.Add(time.Duration(r.IntN(72)) * time.Hour)
			if month, _, _ := Month(now); month != before.Month {
				spent = 0
			}
			spent += r.Float64()
			if r.IntN(10) == 0 {
				s.Limit, s.Action = MoneyOf(float64(r.IntN(20))), BudgetActions[r.IntN(3)]
			}
			s.at(t, now, spent)
			reached := MoneyOf(spent) >= s.Limit
			if got := !(StandingBudget{s.Budget, s.mark}).Reached(now).IsZero(); got != reached {
				t.Fatalf("seed %d: %v of %s spent, reached is %t", seed, spent, s.Limit, got)
			}
			same := before.Limit == s.Limit && before.Action == s.Action && before.Month == s.mark.Month
			if same && s.mark.Told <= before.Told && len(s.lines) > 0 {
				t.Fatalf("seed %d: after %+v it says %q again", seed, before, s.lines)
			}
			if same && s.mark.Told > before.Told && len(s.lines) != 1 {
				t.Fatalf("seed %d: from %d to %d %% it says %q", seed, before.Told, s.mark.Told, s.lines)
			}
			s.lines = nil
		}
	}
}

func TestWhatIsNoBudget(t *testing.T) {
	t.Parallel()
	for _, limit := range []float64{-1, math.NaN(), math.Inf(1), 2e9} {
		if CheckBudget(limit, BudgetWarn) == nil {
			t.Errorf("%v is a limit", limit)
		}
	}
	if CheckBudget(1, "kill") == nil || CheckBudget(0, BudgetStop) != nil {
		t.Error("kill is an action, or 0 is no limit")
	}
}

func TestWhichBudgetOfTheConfigurationCounts(t *testing.T) {
	t.Parallel()
	one, two := 1.0, 2.0
	list := FileBudgets([]FileBudget{{Cluster: "*", Limit: &one}, {Cluster: "c", Limit: &two, Action: BudgetHold}, {Cluster: "d", Queue: "q", Limit: &one},
		{Cluster: "*", Account: "ada", Limit: &one}}, "c")
	if len(list) != 2 || list[0].Limit != MoneyOf(2) || list[0].Action != BudgetHold || list[1].Account != "ada" || list[1].Action != BudgetWarn || !list[1].Fixed {
		t.Errorf("they are %+v", list)
	}
}
