package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// Figures are what runs used.
type Figures struct {
	MeasuredOn int           // on how many of its nodes it was measured: of 0 nothing is known
	CPUTime    time.Duration `bun:"cpu_time"`
	MaxMemory  int64         // bytes, the highest on each node added up
	Energy     *int64        // millijoules; nil where no node told any
}

// RunToMeasure is an ended run of which is not known yet what it used.
type RunToMeasure struct {
	bun.BaseModel `bun:"table:runs,alias:run"`

	JobID   string
	Task    string
	Started time.Time
	Ended   time.Time
	OwnID   string
	Shares  []hpc.NodeShare `bun:",type:text"`
	First   bool            `bun:",scanonly"`          // there is no earlier run of its job or task
	Next    time.Time       `bun:",scanonly,nullzero"` // when the next one started; zero if there is none
}

// RunsToMeasure returns runs of a cluster that have ended and are not measured,
// the earliest first.
func (tx Tx) RunsToMeasure(ctx context.Context, clusterID string, limit int64) ([]*RunToMeasure, error) {
	var rows []*RunToMeasure
	const others = "FROM runs AS o WHERE o.job_id = run.job_id AND o.task = run.task AND o.started "
	err := tx.db.NewSelect().Model(&rows).
		Column("job_id", "task", "started", "ended", "own_id", "shares").
		ColumnExpr("NOT EXISTS (SELECT 1 "+others+"< run.started) AS first").
		ColumnExpr("(SELECT MIN(o.started) "+others+"> run.started) AS next").
		Where("cluster_id = ? AND NOT measured AND ended IS NOT NULL", clusterID).
		OrderBy("ended", bun.OrderAsc).Limit(limit).Scan(ctx)
	return rows, err
}

// Measure writes down what a run used, once.
func (tx Tx) Measure(ctx context.Context, r *RunToMeasure, f Figures) error {
	_, err := tx.db.NewUpdate().Model((*Run)(nil)).
		Set("measured = TRUE").Set("measured_on = ?", f.MeasuredOn).Set("cpu_time = ?", int64(f.CPUTime)).
		Set("max_memory = ?", f.MaxMemory).Set("energy = ?", f.Energy).
		Where("job_id = ? AND task = ? AND started = ? AND NOT measured", r.JobID, r.Task, r.Started).Exec(ctx)
	return err
}

// UsedBy is what the runs of a job used that are measured so far: the time and the
// energy of all of them, the memory of the one with the most.
func (tx Tx) UsedBy(ctx context.Context, jobID string) (f Figures, err error) {
	err = tx.db.NewSelect().Model((*Run)(nil)).
		ColumnExpr("CAST(COALESCE(SUM(measured_on), 0) AS BIGINT)").
		ColumnExpr("CAST(COALESCE(SUM(cpu_time), 0) AS BIGINT)").
		ColumnExpr("COALESCE(MAX(max_memory), 0)").
		ColumnExpr("CAST(SUM(energy) AS BIGINT)").
		Where("job_id = ? AND measured_on > 0", jobID).Scan(ctx, &f.MeasuredOn, &f.CPUTime, &f.MaxMemory, &f.Energy)
	return f, err
}
