package hpc

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// BudgetAction is what happens once a budget's limit is reached.
type BudgetAction string

const (
	BudgetWarn BudgetAction = "warn"          // a line in the cluster's log
	BudgetStop BudgetAction = "stop growing"  // auto scaling adds no nodes
	BudgetHold BudgetAction = "hold new jobs" // jobs that are submitted from then on wait
)

// BudgetActions are all there are.
var BudgetActions = []BudgetAction{BudgetWarn, BudgetStop, BudgetHold}

// MaxBudgets is how many a cluster may have, and the configuration.
const MaxBudgets = 100

const (
	maxBudget   = 1e9 // units of the currency, so that sums stay far from overflowing
	nearBudget  = 80  // percent of the limit that are told of
	wholeBudget = 100
)

// BudgetTarget is what a budget is for: a queue, an account, or neither, which
// is the cluster as a whole.
type BudgetTarget struct{ Queue, Account string }

func (t BudgetTarget) String() string {
	switch {
	case t.Queue != "":
		return "the budget of queue " + t.Queue
	case t.Account != "":
		return "the budget of account " + t.Account
	}
	return "the cluster's budget"
}

// Covers tells whether a job of the account in the queue is paid from it. One that
// waits for several queues may come to be.
func (t BudgetTarget) Covers(queue, account string) bool {
	return (t.Queue == "" || slices.Contains(strings.Split(queue, ","), t.Queue)) && (t.Account == "" || t.Account == account)
}

// Budget is what may be spent on something in a calendar month, in UTC.
type Budget struct {
	BudgetTarget
	Limit  Money
	Action BudgetAction
	Fixed  bool // by the service's configuration
}

// CheckBudget refuses limits and actions that are none. A limit of 0 lets nothing
// be spent.
func CheckBudget(limit float64, action BudgetAction) error {
	if math.IsNaN(limit) || limit < 0 || limit > maxBudget {
		return fmt.Errorf("the limit %v is no amount from 0 to %.0f", limit, maxBudget)
	}
	if !slices.Contains(BudgetActions, action) {
		return fmt.Errorf("the action %.40q is none of warn, stop growing and hold new jobs", action)
	}
	return nil
}

// FileBudget is a budget in the service's configuration.
type FileBudget struct {
	Cluster string       `yaml:"cluster"` // its id, or "*" for each
	Queue   string       `yaml:"queue"`   // of this queue
	Account string       `yaml:"account"` // or of this account; of neither: of the cluster
	Limit   *float64     `yaml:"limit"`   // per calendar month, in UTC
	Action  BudgetAction `yaml:"action"`  // at the limit: warn (default), stop growing, hold new jobs
}

// EveryCluster stands for a cluster's id in a FileBudget.
const EveryCluster = "*"

// BudgetOf is the budget as the cluster has it.
func (f FileBudget) BudgetOf() Budget {
	b := Budget{BudgetTarget: BudgetTarget{f.Queue, f.Account}, Action: f.Action, Fixed: true}
	if f.Limit != nil {
		b.Limit = MoneyOf(*f.Limit)
	}
	if b.Action == "" {
		b.Action = BudgetWarn
	}
	return b
}

// FileBudgets are those that the configuration has for a cluster, in its order.
// One for the cluster's id beats one for each.
func FileBudgets(file []FileBudget, clusterID string) []Budget {
	var list []Budget
	for _, cluster := range []string{clusterID, EveryCluster} {
		for _, f := range file {
			b := f.BudgetOf()
			taken := slices.ContainsFunc(list, func(o Budget) bool { return o.BudgetTarget == b.BudgetTarget })
			if f.Cluster == cluster && !taken {
				list = append(list, b)
			}
		}
	}
	return list
}

// BudgetMark is how far the spending of a month has got, as it was noted last.
type BudgetMark struct {
	Month   string // such as 2026-11
	Told    int    // percent of the limit that the cluster's log tells of
	Spent   Money
	Noted   time.Time
	Reached time.Time // since when the limit is reached and the action holds; zero: it is not
	Limit   Money     // under which this was noted
	Action  BudgetAction
}

// Month is the calendar month of a moment, in UTC, and when the next one begins.
func Month(at time.Time) (name string, from, next time.Time) {
	at = at.UTC()
	from = time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	return from.Format("2006-01"), from, from.AddDate(0, 1, 0)
}

// Percent is how much of the limit is spent.
func (b Budget) Percent(spent Money) float64 {
	if b.Limit == 0 {
		return wholeBudget
	}
	return float64(spent) / float64(b.Limit) * 100
}

func (b Budget) level(spent Money) int {
	switch {
	case spent >= b.Limit:
		return wholeBudget
	case spent >= b.Limit-b.Limit/5:
		return nearBudget
	}
	return 0
}

// Note is the mark after m, and a line for the cluster's log; "" if there is
// nothing to tell that was not told before. Other settings are told of anew.
func (b Budget) Note(now time.Time, m BudgetMark, spent Money, currency string) (next BudgetMark, line string) {
	now = now.UTC().Truncate(time.Microsecond) // as it will be read back
	month, _, _ := Month(now)
	next = BudgetMark{Month: month, Told: m.Told, Spent: spent, Noted: now, Reached: m.Reached, Limit: b.Limit, Action: b.Action}
	if m.Month != month && b.Limit > 0 {
		next.Told, next.Reached = 0, time.Time{}
	}
	if m.Limit != b.Limit || m.Action != b.Action {
		next.Told = 0
	}
	level := b.level(spent)
	if m.Action != b.Action || level < wholeBudget {
		next.Reached = time.Time{}
	}
	if level == wholeBudget && next.Reached.IsZero() {
		next.Reached = now
	}
	wasReached := !m.Reached.IsZero()
	told := next.Told
	next.Told = level
	state := fmt.Sprintf("%s of %s %s are spent in %s", spent.round(), b.Limit, currency, month)
	switch {
	case level == wholeBudget && told < wholeBudget:
		return next, fmt.Sprintf("%s is reached: %s; %s", b.BudgetTarget, state, b.effect())
	case level < wholeBudget && wasReached:
		line = fmt.Sprintf("%s is not reached any more: %s", b.BudgetTarget, state)
		if m.Action == BudgetHold {
			line += "; the jobs that it held are let go"
		}
		return next, line
	case level == nearBudget && told < nearBudget:
		return next, fmt.Sprintf("%d %% of %s is used: %s", nearBudget, b.BudgetTarget, state)
	}
	return next, ""
}

// noteEvery is how old the amount in a mark may be that nothing else changes.
const noteEvery = time.Minute

// Newer tells whether the mark says what m does not, or says it much later.
func (next BudgetMark) Newer(m BudgetMark) bool {
	late := next.Spent != m.Spent && next.Noted.Sub(m.Noted) >= noteEvery
	next.Spent, next.Noted = m.Spent, m.Noted
	return late || next != m
}

func (b Budget) effect() string {
	switch b.Action {
	case BudgetStop:
		return "auto scaling adds no nodes for it"
	case BudgetHold:
		return "jobs that are submitted from now on are held"
	}
	return "nothing is kept from running"
}

// round leaves out what nobody reads.
func (m Money) round() Money { return m / 1e5 * 1e5 }

// StandingBudget is a budget and how far its month has got.
type StandingBudget struct {
	Budget
	Mark BudgetMark
}

// Reached is since when the limit is reached; zero if it is not, as in a new
// month.
func (b StandingBudget) Reached(now time.Time) time.Time {
	if month, _, _ := Month(now); b.Mark.Month != month && b.Limit > 0 {
		return time.Time{}
	}
	return b.Mark.Reached
}

// Budgets are those that stand in a cluster.
type Budgets []StandingBudget

// Holding is the first that holds a job of the account in the queue, submitted
// then; nil if the job may start. A job of no queue goes to the default one.
func (list Budgets) Holding(now time.Time, queue, account string, submitted time.Time) *StandingBudget {
	queue = cmp.Or(queue, DefaultQueue)
	for i, b := range list {
		if at := b.Reached(now); b.Action == BudgetHold && b.Covers(queue, account) && !at.IsZero() && !submitted.Before(at) {
			return &list[i]
		}
	}
	return nil
}

// Stopping is the first that keeps auto scaling from adding nodes for a job of
// the account in the queue; nil if none does. Of no account it is what keeps the
// queue from growing.
func (list Budgets) Stopping(now time.Time, queue, account string) *StandingBudget {
	queue = cmp.Or(queue, DefaultQueue)
	for i, b := range list {
		if b.Action == BudgetStop && b.Covers(queue, account) && !b.Reached(now).IsZero() {
			return &list[i]
		}
	}
	return nil
}

// Closed is for what a scheduler holds the jobs that people submit on nodes.
type Closed struct {
	All    bool
	Queues []string
	UIDs   []int
}

// Closed is what budgets close in a cluster with these accounts; nil for nothing.
func (list Budgets) Closed(now time.Time, accounts []Account) *Closed {
	var c Closed
	for _, b := range list {
		switch {
		case b.Action != BudgetHold || b.Reached(now).IsZero():
		case b.Queue != "":
			c.Queues = append(c.Queues, b.Queue)
		case b.Account == "":
			c.All = true
		default:
			for _, a := range accounts {
				if a.Name == b.Account {
					c.UIDs = append(c.UIDs, a.UID)
				}
			}
		}
	}
	if !c.All && len(c.Queues)+len(c.UIDs) == 0 {
		return nil
	}
	return &c
}

// HoldReason tells the owner of a job why it is held, and until when.
func (b StandingBudget) HoldReason(now time.Time, currency string) string {
	return fmt.Sprintf("held by %s: %s; it is let go when the budget is raised%s", b.BudgetTarget, b.state(currency), b.until(now))
}

// StopReason tells why no node is added.
func (b StandingBudget) StopReason(now time.Time, currency string) string {
	return fmt.Sprintf("%s is reached: %s; that ends when the budget is raised%s", b.BudgetTarget, b.state(currency), b.until(now))
}

func (b StandingBudget) state(currency string) string {
	return strings.TrimSpace(fmt.Sprintf("%s of %s %s are spent in %s", b.Mark.Spent.round(), b.Limit, currency, b.Mark.Month))
}

func (b StandingBudget) until(now time.Time) string {
	if b.Limit == 0 {
		return ""
	}
	_, _, next := Month(now)
	return next.Format(", at the latest on 2006-01-02 at 15:04 UTC")
}
