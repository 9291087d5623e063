package store

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/bits"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// Run is a row of runs: one execution of a job or of a task of an array. It is
// there from when the run was first seen; its cost from its end.
type Run struct {
	bun.BaseModel `bun:"table:runs"`

	ClusterID string
	JobID     string    `bun:",pk"`
	Task      string    `bun:",pk"`
	Started   time.Time `bun:",pk"`
	PublicID  string
	SchedID   string
	Account   string
	Name      string
	Queue     string
	Shares    []hpc.NodeShare `bun:",type:text"`
	Cores     int
	GPUs      int `bun:"gpus"`
	Submitted time.Time
	Ended     time.Time `bun:",nullzero"`
	State     hpc.JobState
	ExitCode  int
	Final     bool // false of a run that was broken off to run again
	Counted   bool // the job's end is counted with this run
	Cost      hpc.Money
	Length    int // see lengthOf

	OwnID    string // of an array's task, the scheduler's own id of it; else SchedID
	Measured bool   // nothing more is asked for than its figures tell
	Figures  `bun:",embed:"`
}

// Ledger is what is to be written down of jobs' runs.
type Ledger struct {
	Runs  []*Run   // as they are now; Cost and Length are found out
	Ended []string // ids of jobs that have ended, to be counted if they ran
	Again []string // ids of jobs that have ended and are to run again: not counted any more
}

// Empty tells whether there is nothing to write.
func (l Ledger) Empty() bool { return len(l.Runs)+len(l.Ended)+len(l.Again) == 0 }

// TimeGrain is how exactly the engines keep times.
const TimeGrain = time.Microsecond

// lengthOf sorts stretches of time by their length, so that those which reach
// into a period are found by an index on their begin.
func lengthOf(from, to time.Time) int {
	return min(bits.Len64(uint64(max(to.Sub(from)/time.Second, 0))), maxLength)
}

// maxLength is of all that took more than four years.
const maxLength = 28

// reaches are the conditions, one for each length and with its values, of what
// ended after a moment and began before another.
func reaches(began string, from, to time.Time) (where []string, args [][]any) {
	for length := range maxLength + 1 {
		since := from.Add(-time.Second << length)
		if length == maxLength {
			since = time.Unix(0, 0)
		}
		where = append(where, "length = ? AND "+began+" > ? AND "+began+" < ? AND ended IS NOT NULL AND ended > ?")
		args = append(args, []any{length, since.UTC(), to.UTC(), from.UTC()})
	}
	return where, args
}

// RecordRuns writes runs down, each once: what is there already and has ended
// alike is left as it is. The spans of the nodes must be up to date.
func (tx Tx) RecordRuns(ctx context.Context, clusterID string, l Ledger) error {
	for _, r := range l.Runs {
		r.Started, r.Ended, r.Submitted = r.Started.Truncate(TimeGrain), r.Ended.Truncate(TimeGrain), r.Submitted.Truncate(TimeGrain)
	}
	old, err := tx.runsLike(ctx, l.Runs)
	if err != nil {
		return err
	}
	toCount := map[string]bool{}
	for _, id := range l.Ended {
		toCount[id] = true
	}
	var minus, plus []*Run
	for _, r := range l.Runs {
		have := old[r.key()]
		if have != nil && !have.Ended.IsZero() {
			if have.Ended.Equal(r.Ended) && have.State == r.State && have.Final == r.Final {
				continue
			}
			minus = append(minus, have)
		}
		r.Counted = have != nil && have.Counted && !r.Ended.IsZero()
		plus = append(plus, r)
	}
	for _, r := range onlyRuns(plus, old) {
		if toCount[r.JobID] {
			r.Counted = true
			delete(toCount, r.JobID)
		}
	}
	if err := tx.charge(ctx, clusterID, minus, plus); err != nil {
		return err
	}
	if err := tx.saveRuns(ctx, plus); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(toCount)) {
		if err := tx.recount(ctx, clusterID, id, true); err != nil {
			return err
		}
	}
	for _, id := range l.Again {
		if err := tx.recount(ctx, clusterID, id, false); err != nil {
			return err
		}
	}
	return nil
}

// onlyRuns are those of plain jobs that are the job's only run, as most are.
func onlyRuns(runs []*Run, old map[runKey]*Run) (only []*Run) {
	of := map[string]map[int64]bool{} // by job, when its runs started
	note := func(r *Run) {
		if of[r.JobID] == nil {
			of[r.JobID] = map[int64]bool{}
		}
		of[r.JobID][r.Started.UnixMicro()] = true
	}
	for _, r := range runs {
		note(r)
	}
	for _, r := range old {
		note(r)
	}
	for _, r := range runs {
		if r.Task == "" && !r.Ended.IsZero() && len(of[r.JobID]) == 1 {
			only = append(only, r)
		}
	}
	return only
}

func (tx Tx) saveRuns(ctx context.Context, runs []*Run) error {
	for some := range slices.Chunk(runs, 200) {
		q := tx.db.NewInsert().Model(&some).On("CONFLICT (job_id, task, started) DO UPDATE")
		for _, column := range []string{"ended", "state", "exit_code", "final", "counted", "cost", "length", "shares", "cores", "sched_id", "own_id"} {
			q.Set("? = EXCLUDED.?", bun.Ident(column), bun.Ident(column))
		}
		if _, err := q.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// runKey is what a run is known by.
type runKey struct {
	job, task string
	started   int64
}

func (r *Run) key() runKey { return runKey{r.JobID, r.Task, r.Started.UnixMicro()} }

// runsLike are the rows that there are of runs.
func (tx Tx) runsLike(ctx context.Context, runs []*Run) (map[runKey]*Run, error) {
	tasks := map[string][]string{} // of arrays, by job
	var plain []string
	for _, r := range runs {
		if r.Task == "" {
			plain = append(plain, r.JobID)
		} else {
			tasks[r.JobID] = append(tasks[r.JobID], r.Task)
		}
	}
	found := map[runKey]*Run{}
	read := func(where string, args ...any) error {
		var rows []*Run
		err := tx.db.NewSelect().Model(&rows).Where(where, args...).Scan(ctx)
		for _, r := range rows {
			found[r.key()] = r
		}
		return err
	}
	if len(plain) > 0 {
		if err := read("job_id IN (?) AND task = ''", bun.List(plain)); err != nil {
			return nil, err
		}
	}
	for job, names := range tasks {
		if err := read("job_id = ? AND task IN (?)", job, bun.List(names)); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// recount counts an ended job with its last run, or counts it no more.
func (tx Tx) recount(ctx context.Context, clusterID, jobID string, count bool) error {
	r := new(Run)
	err := notFound(tx.db.NewSelect().Model(r).Where("job_id = ? AND ended IS NOT NULL", jobID).
		OrderBy("counted", bun.OrderDesc).OrderBy("ended", bun.OrderDesc).OrderBy("started", bun.OrderDesc).Limit(1).Scan(ctx))
	if errors.Is(err, ErrNotFound) || err == nil && r.Counted == count {
		return nil
	}
	if err != nil {
		return err
	}
	was := *r
	r.Counted, r.Final = count, count
	if err := tx.charge(ctx, clusterID, []*Run{&was}, []*Run{r}); err != nil {
		return err
	}
	return one(tx.db.NewUpdate().Model(r).WherePK().Column("counted", "final").Exec(ctx))
}

// OpenRuns returns what runs in a cluster.
func (tx Tx) OpenRuns(ctx context.Context, clusterID string) ([]*Run, error) {
	var rows []*Run
	err := tx.db.NewSelect().Model(&rows).Where("cluster_id = ? AND ended IS NULL", clusterID).Scan(ctx)
	return rows, err
}

// RunsOf returns all runs of a job, in the order they started.
func (tx Tx) RunsOf(ctx context.Context, jobID string) ([]*Run, error) {
	var rows []*Run
	err := tx.db.NewSelect().Model(&rows).Where("job_id = ?", jobID).Order("started", "task").Scan(ctx)
	return rows, err
}

// endRunsWith ends the runs of a cluster that is gone, each with the last of its
// nodes.
func (tx Tx) endRunsWith(ctx context.Context, clusterID string, now time.Time) error {
	runs, err := tx.OpenRuns(ctx, clusterID)
	if err != nil || len(runs) == 0 {
		return err
	}
	spans, err := tx.spansFor(ctx, clusterID, runs)
	if err != nil {
		return err
	}
	l := Ledger{}
	for _, r := range runs {
		r.State, r.Final, r.Ended = hpc.JobCancelled, true, r.Started
		for _, share := range r.Shares {
			for _, s := range spans[share.Host] {
				if end := earlier(s.To, now); end.After(r.Ended) {
					r.Ended = end
				}
			}
		}
		if len(spans) == 0 {
			r.Ended = now
		}
		l.Ended = append(l.Ended, r.JobID)
	}
	slices.Sort(l.Ended)
	l.Runs, l.Ended = runs, slices.Compact(l.Ended)
	return tx.RecordRuns(ctx, clusterID, l)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// hosts are the nodes of runs, and when the first of them started.
func hosts(runs []*Run) (names []string, since time.Time) {
	for _, r := range runs {
		if since.IsZero() || r.Started.Before(since) {
			since = r.Started
		}
		for _, s := range r.Shares {
			names = append(names, s.Host)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), since
}

// compareSpans orders spans of one node.
func compareSpans(a, b hpc.NodeSpan) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) }

// AllRuns returns all runs of a cluster, in the order they started.
func (tx Tx) AllRuns(ctx context.Context, clusterID string) ([]*Run, error) {
	var rows []*Run
	err := tx.db.NewSelect().Model(&rows).Where("cluster_id = ?", clusterID).Order("started", "job_id", "task").Scan(ctx)
	return rows, err
}
