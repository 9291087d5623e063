package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/plain"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// lostPerPass bounds the jobs in doubt that one pass looks at, and those that it
// submits again.
const lostPerPass = 100

// runsPerCall bounds the tasks whose runs one answer tells, but for those of one
// array: several large ones in doubt are more than an answer may hold.
const runsPerCall = 100_000

// lookAfter decides on the rows in doubt by what is written down of their runs.
func (ctl *Control) lookAfter(ctx context.Context, sched scheduler.Scheduler, nodes []*store.Node, rows []*store.Job, why doubt) error {
	for some := range batches(rows[:min(len(rows), lostPerPass)]) {
		if err := ctl.lookAtRuns(ctx, sched, nodes, some, why); err != nil {
			return err
		}
	}
	return nil
}

// batches parts the rows into what one call may ask for.
func batches(rows []*store.Job) iter.Seq[[]*store.Job] {
	return func(yield func([]*store.Job) bool) {
		for begin := 0; begin < len(rows); {
			end, sum := begin+1, tasks(rows[begin])
			for end < len(rows) && sum+tasks(rows[end]) <= runsPerCall {
				sum += tasks(rows[end])
				end++
			}
			if !yield(rows[begin:end]) {
				return
			}
			begin = end
		}
	}
}

func (ctl *Control) lookAtRuns(ctx context.Context, sched scheduler.Scheduler, nodes []*store.Node, rows []*store.Job, why doubt) error {
	tokens := make([]string, len(rows))
	for i, row := range rows {
		tokens[i] = row.Token
	}
	all, err := sched.Runs(ctx, tokens...)
	if err != nil {
		return fmt.Errorf("cannot look at the runs of jobs: %w", err)
	}
	byToken := map[string][]hpc.Run{}
	for _, r := range all {
		byToken[r.Token] = append(byToken[r.Token], r)
	}
	where := ctl.whereabouts(ctx, nodes)
	var died []hpc.Run
	for _, row := range rows {
		now, was := time.Now(), *row
		p := planLost(now, row, byToken[row.Token], why, where)
		died = append(died, p.Died...)
		if !p.Save {
			continue
		}
		err := ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
			if err := tx.SaveJob(ctx, row); err != nil {
				return err
			}
			if err := countWritten(ctx, tx, row, p.Last); err != nil {
				return err
			}
			if err := ctl.recordLost(ctx, tx, &was, row, byToken[row.Token], coresOf(nodes), now); err != nil || p.Line == "" {
				return err
			}
			return tx.Log(ctx, row.ClusterID, "Job", store.Warn, p.Line, now)
		})
		if err != nil {
			*row = was // nothing may follow from what was not written down
		}
		if settled(err) != nil {
			return err
		}
		if why == refused {
			ctl.Submitted()
		}
	}
	if len(died) == 0 {
		return nil
	}
	return sched.Died(ctx, died...)
}

// recordLost writes down the runs of a lost job that has ended or is submitted
// again.
func (ctl *Control) recordLost(ctx context.Context, tx store.Tx, was, row *store.Job, written []hpc.Run, cores map[string]int, now time.Time) error {
	if row.Ended.IsZero() && row.Attempt == was.Attempt {
		return nil
	}
	seen, err := tx.RunsOf(ctx, row.ID)
	if err != nil {
		return err
	}
	l := store.Ledger{Runs: planLostRuns(now, was, row, seen, written, cores)}
	if !row.Ended.IsZero() {
		l.Ended = []string{row.ID}
	}
	return ctl.record(ctx, tx, row.ClusterID, l, now)
}

// whereabouts asks the nodes of runs that have not ended whether they are still
// those on which the runs began.
func (ctl *Control) whereabouts(ctx context.Context, nodes []*store.Node) func(hpc.Run) whereabouts {
	boots := map[string]string{} // by hostname; "" when it cannot be asked
	return func(r hpc.Run) whereabouts {
		i := slices.IndexFunc(nodes, func(n *store.Node) bool { return n.Hostname == r.Host })
		if i < 0 {
			return gone
		}
		boot, asked := boots[r.Host]
		if !asked {
			if state, err := ctl.Links.Node(nodes[i].ID).State(ctx); err == nil {
				boot = state.BootID
			}
			boots[r.Host] = boot
		}
		if boot != "" && boot != r.Boot {
			return gone
		}
		return mayRun
	}
}

// lost tells whether a job is to be submitted again.
func lost(row *store.Job) bool { return row.SchedID == "" && row.PublicID != "" && row.Wanted }

// submitAgain hands lost jobs to the scheduler once more.
func (ctl *Control) submitAgain(ctx context.Context, sched scheduler.Scheduler, open []*store.Job) error {
	again := 0
	for _, row := range open {
		if !lost(row) || runsStill(row, open) || time.Since(row.Modified) < startPause(ctl.Limits.Retry, row.Attempt) {
			continue
		}
		if again++; again > lostPerPass {
			break
		}
		id, err := sched.Submit(ctx, row.Spec)
		now := time.Now()
		switch {
		case errors.Is(err, hpc.ErrUnknownAccount):
			continue // the node will be told of it
		case errors.Is(err, scheduler.ErrRejected):
			row.State, row.Reason, row.Ended, row.Wanted = hpc.JobFailed, plain.Text(err), now, false
		case err != nil:
			return fmt.Errorf("cannot submit job %s again: %w", row.PublicID, err)
		default:
			// Nobody knows when the scheduler had it: it may have given the id to a
			// server before this one, and have lost the job again since.
			row.SchedID, row.State, row.Sight = id, hpc.JobPending, row.Modified
		}
		row.Modified = now
		err = ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
			if err := tx.SaveJob(ctx, row); err != nil || row.Ended.IsZero() {
				return err
			}
			return ctl.record(ctx, tx, row.ClusterID, store.Ledger{Ended: []string{row.ID}}, now)
		})
		if settled(err) != nil {
			return err
		}
	}
	if again > 0 {
		ctl.Submitted()
	}
	return nil
}

// runsStill tells whether the run before has not ended of a job that is to run
// again under its id: two at a time would write over each other.
func runsStill(row *store.Job, open []*store.Job) bool {
	return slices.ContainsFunc(open, func(o *store.Job) bool { return o.PublicID == row.PublicID && o.ID != row.ID })
}
