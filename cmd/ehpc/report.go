package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ehpc/api"
	"ehpc/internal/hpc"
)

// formatCSV is for spreadsheets.
const formatCSV = "csv"

// costLine is a line of a report.
type costLine struct {
	Kind        string      `json:"kind"` // jobs, idle, management, overlap or total
	Name        string      `json:"name"`
	Jobs        int         `json:"jobs"`
	CoreSeconds int         `json:"core_seconds"`
	Cost        json.Number `json:"cost"`
	*figures
}

// figures are what a job used, nothing of them where it is not known.
type figures struct {
	CPUSeconds *float64 `json:"cpu_seconds"`
	MaxMemory  *int64   `json:"max_memory"` // in bytes
	Energy     *float64 `json:"energy"`     // in joules
}

// costs is what a report prints.
type costs struct {
	By       string     `json:"by"`
	From     time.Time  `json:"from"`
	To       time.Time  `json:"to"`
	Currency string     `json:"currency"`
	Rows     []costLine `json:"rows"`
	Total    costLine   `json:"total"`
}

func (c *cli) newReportCommand() *cobra.Command {
	var by, from, to, format string
	cmd := &cobra.Command{
		Use:   "report CLUSTER",
		Short: "Show who used a cluster and what it cost",
		Long: `Show who used a cluster and what it cost.

A job costs its share of its nodes' price: its cores of the node's, as long as it
ran. What no job used of a queue's nodes is idle. All lines together are what the
nodes cost. Jobs that run and nodes that are there count up to now. By job it
also shows what each used, where that was measured: processor time, the highest
memory, and energy.

--from and --to take a date (its begin, in this machine's time zone), a time as
2026-11-27T08:00:00Z, or how long ago, as 24h. Without them the report is of this month.`,
		Example: "  ehpc report lab --by queue --from 24h\n  ehpc report lab --by job --from 2026-11-01 --to 2026-12-01 -o csv",
		Args:    argsNamed("CLUSTER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if by != "user" && by != "queue" && by != "job" {
				return &usageError{cmd.CommandPath(), fmt.Sprintf("unknown --by %q: it is user, queue or job", by)}
			}
			if c.format = format; format == formatCSV {
				c.format = formatTable
			} else if format != formatTable && format != formatJSON {
				return &usageError{cmd.CommandPath(), fmt.Sprintf("unknown output %q: it is table, csv or json", format)}
			}
			period, err := periodOf(time.Now(), from, to)
			if err != nil {
				return &usageError{cmd.CommandPath(), err.Error()}
			}
			r, err := c.connect(cmd)
			if err != nil {
				return err
			}
			return r.report(cmd.Context(), args[0], by, period, format)
		},
	}
	c.where.addFlags(cmd.Flags())
	cmd.Flags().StringVarP(&format, "output", "o", formatTable, "`FORMAT` of the answer: table, csv or json")
	cmd.Flags().StringVar(&by, "by", "user", "a line for each user, queue or job")
	cmd.Flags().StringVar(&from, "from", "", "begin of the period; the month's if left out")
	cmd.Flags().StringVar(&to, "to", "", "end of the period; now if left out")
	return cmd
}

func periodOf(now time.Time, from, to string) (period [2]time.Time, err error) {
	period = [2]time.Time{time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, now.Location()), now.Truncate(time.Second).Add(time.Second)}
	for i, flag := range []struct{ name, text string }{{"from", from}, {"to", to}} {
		if flag.text == "" {
			continue
		}
		if period[i], err = momentOf(now, flag.text); err != nil {
			return period, fmt.Errorf("--%s %q is no date such as 2026-11-27, no time such as 2026-11-27T08:00:00Z, and not how long ago, such as 24h", flag.name, flag.text)
		}
	}
	return period, nil
}

func momentOf(now time.Time, text string) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		return day, nil
	}
	return time.Parse(time.RFC3339, text)
}

func (r *remote) report(ctx context.Context, cluster, by string, period [2]time.Time, format string) error {
	id, err := r.cluster(ctx, cluster)
	if err != nil {
		return err
	}
	doing := "report on cluster " + cluster
	rows, err := pages(ctx, r, doing, "GetAccountingReport", values("ClusterId", id, "ReportType", "cost_report", "Dim", by,
		"StartTime", strconv.FormatInt(period[0].Unix(), 10), "EndTime", strconv.FormatInt(period[1].Unix(), 10)),
		func(a *api.GetAccountingReportResponse) []string { return a.Data.Data })
	if err != nil {
		return err
	}
	out := costs{By: by, From: period[0], To: period[1], Rows: []costLine{}, Total: costLine{Kind: "total"}}
	var total hpc.Money
	for _, text := range rows {
		u := costLine{figures: new(figures)}
		if err := json.Unmarshal([]byte(text), &[]any{&u.Kind, &u.Name, &u.Jobs, &u.CoreSeconds, &u.Cost, &out.Currency, &u.CPUSeconds, &u.MaxMemory, &u.Energy}); err != nil {
			return &failure{doing, fmt.Errorf("a row of the answer is not as documented: %w", err)}
		}
		if by != "job" || u.Kind != "jobs" {
			u.figures = nil
		}
		cost, err := moneyOf(u.Cost.String())
		if err != nil {
			return &failure{doing, err}
		}
		total += cost
		out.Total.Jobs += u.Jobs
		out.Total.CoreSeconds += u.CoreSeconds
		out.Rows = append(out.Rows, u)
	}
	out.Total.Cost = json.Number(total.String())
	switch format {
	case formatJSON:
		return r.json(out)
	case formatCSV:
		return out.csv(r.screen)
	}
	return out.table(r.screen)
}

// moneyOf reads an amount exactly: sums of floating point numbers are not.
func moneyOf(text string) (hpc.Money, error) {
	digits, negative := strings.CutPrefix(text, "-")
	units, decimals, _ := strings.Cut(digits, ".")
	if len(decimals) > 9 {
		return 0, fmt.Errorf("the amount %q has more than nine decimals", text)
	}
	n, err := strconv.ParseInt(units+decimals+strings.Repeat("0", 9-len(decimals)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the amount %q is none", text)
	}
	if negative {
		n = -n
	}
	return hpc.Money(n), nil
}

func (c *costs) csv(s screen) error {
	w := csv.NewWriter(s.out)
	head := []string{"kind", c.By, "jobs", "core_seconds", "cost", "currency"}
	if c.By == "job" {
		head = append(head, "cpu_seconds", "max_memory", "energy")
	}
	w.Write(head)
	for _, u := range append(c.Rows, c.Total) {
		row := []string{u.Kind, shown(u.Name), strconv.Itoa(u.Jobs), strconv.Itoa(u.CoreSeconds), u.Cost.String(), c.Currency}
		w.Write(append(row, u.shown()...)[:len(head)])
	}
	w.Flush()
	return w.Error()
}

func (c *costs) table(s screen) error {
	fmt.Fprintf(s.out, "from %s to %s\n\n", exactTime(c.From), exactTime(c.To))
	columns := []column[costLine]{
		{strings.ToUpper(c.By), costLine.label},
		{"JOBS", func(u costLine) string {
			if u.Kind != "jobs" && u.Kind != "total" {
				return ""
			}
			return strconv.Itoa(u.Jobs)
		}},
		{"CORE HOURS", func(u costLine) string { return strconv.FormatFloat(float64(u.CoreSeconds)/3600, 'f', 3, 64) }},
		{strings.TrimSpace("COST " + c.Currency), func(u costLine) string { return u.Cost.String() }},
	}
	if c.By == "job" {
		for i, head := range []string{"CPU SECONDS", "BYTES", "JOULES"} {
			columns = append(columns, column[costLine]{head, func(u costLine) string { return u.shown()[i] }})
		}
	}
	return list(s, append(c.Rows, c.Total), columns...)
}

// shown are processor time, memory and energy, "" where they are not known.
func (f *figures) shown() []string {
	if f == nil {
		f = new(figures)
	}
	return []string{decimal(f.CPUSeconds), decimal(f.MaxMemory), decimal(f.Energy)}
}

func decimal[N int64 | float64](n *N) string {
	if n == nil {
		return ""
	}
	return strconv.FormatFloat(float64(*n), 'f', -1, 64)
}

// label names a line for people.
func (u costLine) label() string {
	switch u.Kind {
	case "idle":
		return "(idle in " + u.Name + ")"
	case "overlap":
		return "(overlap in " + u.Name + ")"
	case "management":
		return "(managers and logins)"
	case "total":
		return "(total)"
	}
	return u.Name
}
