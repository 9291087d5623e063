package action

import (
	"context"
	"time"

	"ehpc/api"
	"ehpc/internal/store"
)

// figureColumns are of what a run used.
var figureColumns = []string{"cpuTime", "maxMemory", "energy", "measuredNodes"}

// jobColumns are those of job_report, a row for each run.
var jobColumns = append([]string{"jobId", "task", "name", "user", "queue", "nodes", "cores", "gpus", "submitTime", "startTime", "endTime",
	"state", "exitCode", "final", "coreTime", "cost", "currency"}, figureColumns...)

// reportJobs makes a report with a row for each run of a job.
func (s *Service) reportJobs(ctx context.Context, tx store.Tx, r *report, q *api.GetAccountingReportRequest, all []store.Usage, job string, from, to time.Time, page store.Page) error {
	f := store.RunFilter{PublicID: job}
	used := func(u store.Usage) bool { return u.Account != "" }
	if q.FilterValue != "" && q.Dim == "queue" {
		f.Queue = q.FilterValue
		used = func(u store.Usage) bool { return u.Account != "" && u.Queue == q.FilterValue }
	} else if q.FilterValue != "" {
		f.Account = q.FilterValue
		used = func(u store.Usage) bool { return u.Account == q.FilterValue }
	}
	runs, total, err := tx.RunsIn(ctx, q.ClusterId, from, to, f, page)
	if err != nil {
		return err
	}
	r.total, r.coreTime = total, store.Sum(all, used).CoreTime
	if job != "" {
		every, _, err := tx.RunsIn(ctx, q.ClusterId, from, to, f, store.Page{})
		if err != nil {
			return err
		}
		r.coreTime = 0
		for _, run := range every {
			r.coreTime += run.Used.CoreTime
		}
	}
	if q.ReportType == jobReport {
		r.columns = jobColumns
		for _, run := range runs {
			r.rows = append(r.rows, s.jobRow(run))
		}
		return nil
	}
	r.columns = append(costColumns("job"), figureColumns...)
	for _, run := range runs {
		name, counted := run.PublicID, 0
		if run.Task != "" {
			name += "_" + run.Task
		}
		if run.Counted && !run.Ended.After(to) {
			counted = 1
		}
		r.rows = append(r.rows, append(s.costRow("jobs", name, counted, run.Used.CoreTime, run.Used.Cost), figures(run.Figures)...))
	}
	idle := s.idleRows(all) // behind the jobs
	r.total += len(idle)
	for i := range idle {
		if at := total + i; page.Number-1 == at/page.Size {
			r.rows = append(r.rows, append(idle[i], make([]any, len(figureColumns))...))
		}
	}
	return nil
}

func (s *Service) jobRow(run store.RunUse) []any {
	hosts := []string{}
	for _, share := range run.Shares {
		hosts = append(hosts, share.Host)
	}
	row := []any{run.PublicID, run.Task, run.Name, run.Account, run.Queue, hosts, run.Cores, run.GPUs,
		unix(run.Submitted), unix(run.Started), unix(run.Ended), string(run.State), run.ExitCode, run.Final,
		int(run.Used.CoreTime / time.Second), number(run.Used.Cost), s.Config.Currency}
	return append(row, figures(run.Figures)...)
}

// figures are what a run used: nothing in place of what is not known.
func figures(f store.Figures) []any {
	u := usedBy(f)
	switch {
	case u == nil:
		return []any{nil, nil, nil, 0}
	case u.Energy == nil:
		return []any{u.CpuTime, u.MaxMemory, nil, u.Nodes}
	}
	return []any{u.CpuTime, u.MaxMemory, *u.Energy, u.Nodes}
}

// unix is a time in Unix seconds, 0 for none.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
