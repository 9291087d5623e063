package action

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// Kinds of reports, in the API's words but for the last.
const (
	resourcesByUser = "resources_by_user"
	totalReport     = "total_report"
	jobReport       = "job_report"
	numberReport    = "number_report"
	costReport      = "cost_report"
)

// longestReport is more than any year.
const longestReport = 366 * 24 * time.Hour

// report is a report while it is made.
type report struct {
	columns  []string
	rows     [][]any // of the page, or all of them
	total    int     // of all pages
	coreTime time.Duration
}

// GetAccountingReport tells what was used of a cluster in a period, and what it
// cost. What goes on counts up to now.
func (s *Service) GetAccountingReport(ctx context.Context, q *api.GetAccountingReportRequest) (*api.GetAccountingReportResponse, error) {
	now := time.Now()
	from, to, err := reportPeriod(q, now)
	if err != nil {
		return nil, err
	}
	job, err := reportOf(q)
	if err != nil {
		return nil, err
	}
	page := store.Page{Number: q.PageNumber, Size: deref(q.PageSize, 10)}
	if q.PageSize == nil && q.ReportType == resourcesByUser {
		page = store.Page{} // as the document's, which knows no pages
	}
	r := new(report)
	err = s.Store.View(ctx, func(ctx context.Context, tx store.Tx) error {
		if _, err := s.cluster(ctx, tx, q.ClusterId); err != nil {
			return err
		}
		all, err := tx.Usage(ctx, q.ClusterId, from, to, now)
		if err != nil {
			return err
		}
		if q.ReportType == jobReport || q.Dim == "job" {
			return s.reportJobs(ctx, tx, r, q, all, job, from, to, page)
		}
		s.reportSums(r, q, all, page)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a := &api.GetAccountingReportResponse{Metrics: jsonText(r.columns), PageNumber: max(page.Number, 1), PageSize: page.Size,
		TotalCoreTime: int(r.coreTime / time.Second), TotalCount: r.total}
	a.Data.Data = []string{}
	for _, row := range r.rows {
		a.Data.Data = append(a.Data.Data, jsonText(row))
	}
	if page.Size == 0 {
		a.PageSize = max(len(r.rows), 1) // clients divide by it
	}
	return a, nil
}

// number is an amount with all of its decimals.
func number(m hpc.Money) json.Number { return json.Number(m.String()) }

func jsonText(v any) string {
	text, _ := json.Marshal(v) // text and numbers always marshal
	return string(text)
}

// reportPeriod refuses periods that no report is made of.
func reportPeriod(q *api.GetAccountingReportRequest, now time.Time) (from, to time.Time, err error) {
	const attempt = "cannot make a report: "
	from, to = time.Unix(int64(q.StartTime), 0).UTC(), time.Unix(int64(q.EndTime), 0).UTC()
	switch {
	case q.EndTime <= q.StartTime:
		err = api.InvalidParams.Errorf(attempt+"EndTime %d is not after StartTime %d", q.EndTime, q.StartTime)
	case from.After(now):
		err = api.InvalidParams.Errorf(attempt+"StartTime %d is in the future", q.StartTime)
	case q.EndTime-q.StartTime > int(longestReport/time.Second):
		err = api.InvalidParams.Errorf(attempt + "EndTime is more than 366 days after StartTime")
	}
	if to.After(now) {
		to = now
	}
	return from, to, err
}

// reportOf checks what a report is to be of, and fills in what was left out. It
// returns the id of the job that alone is asked for.
func reportOf(q *api.GetAccountingReportRequest) (job string, err error) {
	const attempt = "cannot make a report: "
	q.Dim, q.ReportType = orElse(q.Dim, "user"), orElse(q.ReportType, resourcesByUser)
	switch {
	case q.Dim == "job" && q.ReportType != costReport:
		return "", api.InvalidParams.Errorf(attempt + "Dim job is for cost_report alone; job_report has a row for each job")
	case q.Dim != "user" && q.ReportType == resourcesByUser:
		return "", api.InvalidParams.Errorf(attempt+"Dim %s: resources_by_user is by user", q.Dim)
	case q.Dim == "instance" && q.ReportType == jobReport:
		return "", api.InvalidParams.Errorf(attempt + "Dim instance: job_report shows the jobs of a user or of a queue")
	case q.FilterValue != "" && q.ReportType == costReport:
		return "", api.InvalidParams.Errorf(attempt + "FilterValue: cost_report is of all, so that it comes to what the nodes cost")
	case q.JobId != "" && q.ReportType != jobReport:
		return "", api.InvalidParams.Errorf(attempt + "JobId is for job_report alone")
	}
	job = q.JobId
	if strings.HasPrefix(job, "[") { // as the SDKs' documentation has it
		var list []struct{ Id string }
		if err := api.ReadJSON(job, &list); err != nil || len(list) != 1 || list[0].Id == "" {
			return "", api.InvalidParams.Errorf(attempt + `JobId is neither one job's id nor [{"Id":".."}] of one`)
		}
		job = list[0].Id
	}
	return job, nil
}

// dimension is what a report tells usage apart by.
func dimension(u store.Usage, dim string) string {
	switch dim {
	case "queue":
		return u.Queue
	case "instance":
		return u.InstanceType
	}
	return u.Account
}

// reportSums makes a report with a row for each user, queue or instance type.
func (s *Service) reportSums(r *report, q *api.GetAccountingReportRequest, all []store.Usage, page store.Page) {
	sums := map[string]store.Usage{}
	for _, u := range all {
		if name := dimension(u, q.Dim); u.Account != "" && (q.FilterValue == "" || name == q.FilterValue) {
			sums[name] = store.Sum([]store.Usage{sums[name], u}, func(store.Usage) bool { return true })
			r.coreTime += u.CoreTime
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		u := sums[name]
		core := int(u.CoreTime / time.Second)
		switch q.ReportType {
		case resourcesByUser:
			r.rows = append(r.rows, []any{name, u.Jobs, core})
		case totalReport:
			r.rows = append(r.rows, []any{name, core, u.Jobs, number(u.Cost), s.Config.Currency})
		case numberReport:
			r.rows = append(r.rows, []any{name, u.Jobs, u.Jobs - u.Failed - u.Cancelled, u.Failed, u.Cancelled})
		case costReport:
			r.rows = append(r.rows, s.costRow("jobs", name, u.Jobs, u.CoreTime, u.Cost))
		}
	}
	r.columns = map[string][]string{
		resourcesByUser: {"user", "job_count", "ncpus_seconds"},
		totalReport:     {q.Dim, "coreTime", "jobCount", "cost", "currency"},
		numberReport:    {q.Dim, "jobCount", "completed", "failed", "cancelled"},
		costReport:      costColumns(q.Dim),
	}[q.ReportType]
	if q.ReportType == costReport {
		r.rows = append(r.rows, s.idleRows(all)...)
	}
	r.total = len(r.rows)
	r.cut(page)
}

// cut leaves one page of all rows.
func (r *report) cut(page store.Page) {
	if page.Size == 0 {
		return
	}
	first := r.total
	if page.Number-1 <= r.total/page.Size {
		first = min((page.Number-1)*page.Size, r.total)
	}
	r.rows = r.rows[first:min(first+page.Size, r.total)]
}

func costColumns(dim string) []string {
	return []string{"kind", dim, "jobCount", "coreTime", "cost", "currency"}
}

func (s *Service) costRow(kind, name string, jobs int, core time.Duration, cost hpc.Money) []any {
	return []any{kind, name, jobs, int(core / time.Second), number(cost), s.Config.Currency}
}

// idleRows are what no job used: of each queue, and of managers and login nodes.
func (s *Service) idleRows(all []store.Usage) (rows [][]any) {
	idle := store.Idle(all)
	names := slices.Sorted(maps.Keys(idle))
	if len(names) > 0 && names[0] == "" { // managers and login nodes last
		names = append(names[1:], "")
	}
	for _, name := range names {
		kind, u := "idle", idle[name]
		switch {
		case name == "":
			kind = "management"
		case u.Cost < 0 || u.CoreTime < 0:
			kind = "overlap"
		}
		rows = append(rows, s.costRow(kind, name, 0, u.CoreTime, u.Cost))
	}
	return rows
}
