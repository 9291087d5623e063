package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// slowLimit bounds what is done with a cluster's jobs at a time. What is given up
// begins anew, so it leaves time for a machine that is busy.
const slowLimit = 2 * time.Minute

// passJobs brings the job rows of every cluster to what its scheduler shows: in
// exception that may still work.
func (ctl *Control) passJobs(ctx context.Context) error {
	_, err := ctl.eachCluster(ctx, serves, "jobs", slowLimit, "cannot follow jobs", ctl.followJobs)
	return err
}

func (ctl *Control) followJobs(ctx context.Context, c *store.Cluster) error {
	nodes, err := ctl.Store.Nodes(ctx, c.ID)
	if err != nil {
		return err
	}
	m := (&clusterView{Nodes: nodes}).manager()
	if m == nil || m.Status != hpc.NodeRunning || !ctl.Links.Present(m.ID) {
		return nil
	}
	sched := ctl.Links.Scheduler(m.ID)
	seen, err := ctl.queues.observe(ctx, sched, c)
	if err != nil {
		return fmt.Errorf("cannot observe the scheduler: %w", err)
	}
	v := &jobsView{ClusterID: c.ID, Seen: seen, MissFor: ctl.Limits.Miss, Retry: ctl.Limits.Retry, Started: ctl.started, Runs: runsView{Cores: coresOf(nodes)}}
	if v.Runs.Written, err = ctl.writtenOfDoubtful(ctx, sched, v); err != nil {
		return err
	}
	if quiet, err := ctl.nothingToFollow(ctx, c, v); err != nil || quiet {
		return err
	}
	var p jobsPlan
	sick := false
	err = ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.LockCluster(ctx, c.ID); err != nil {
			return err
		}
		if err := v.read(ctx, tx); err != nil {
			return err
		}
		now, rowOf := time.Now(), v.rowOf()
		p = planJobs(now, v)
		var err error
		if sick, err = countEnds(ctx, tx, nodes, v, rowOf); err != nil {
			return err
		}
		for _, row := range p.Save {
			if err := tx.SaveJob(ctx, row); err != nil {
				return err
			}
		}
		for _, row := range p.Insert {
			if err := tx.InsertJob(ctx, row); err != nil {
				return err
			}
		}
		for _, line := range p.Lines {
			if err := tx.Log(ctx, c.ID, "Job", store.Warn, line, now); err != nil {
				return err
			}
		}
		if err := ctl.record(ctx, tx, c.ID, p.Ledger, now); err != nil {
			return err
		}
		if seen.Cursor == c.Cursor {
			return nil
		}
		return tx.AdvanceCursor(ctx, c.ID, c.Cursor, seen.Cursor)
	})
	if err != nil {
		return err
	}
	if len(p.Stop) > 0 {
		if err := sched.Stop(ctx, p.Stop...); err != nil {
			return err
		}
	}
	if sick {
		ctl.health.Wake()
	}
	if seen.More {
		ctl.jobs.Wake()
	}
	if slices.ContainsFunc(p.Save, func(row *store.Job) bool { return !row.Released }) {
		ctl.Submitted()
	}
	for _, look := range []struct {
		rows []*store.Job
		why  doubt
	}{{p.Doubt, forgotten}, {p.Overlooked, overlooked}, {p.Refused, refused}} {
		if err := ctl.lookAfter(ctx, sched, nodes, look.rows, look.why); err != nil {
			return err
		}
	}
	return ctl.submitAgain(ctx, sched, v.Open)
}

// nothingToFollow tells whether an observation asks for nothing: then nobody's
// writing is held up. Otherwise it is decided again, on the rows that are changed.
func (ctl *Control) nothingToFollow(ctx context.Context, c *store.Cluster, v *jobsView) (quiet bool, err error) {
	if len(v.Seen.Ends) > 0 || v.Seen.More || v.Seen.Cursor != c.Cursor {
		return false, nil
	}
	look := *v // planJobs changes what it decides on
	err = ctl.Store.View(ctx, func(ctx context.Context, tx store.Tx) error { return look.read(ctx, tx) })
	if err != nil || slices.ContainsFunc(look.Open, lost) {
		return false, err
	}
	p := planJobs(time.Now(), &look)
	return p.empty(), nil
}

// writtenOfDoubtful asks for what nodes wrote down of runs that the scheduler
// shows no more.
func (ctl *Control) writtenOfDoubtful(ctx context.Context, sched scheduler.Scheduler, v *jobsView) (all []hpc.Run, err error) {
	open, err := ctl.Store.Read().OpenRuns(ctx, v.ClusterID)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk((&runsView{Open: open}).inDoubt(v.Seen), lostPerPass) {
		runs, err := sched.Runs(ctx, some...)
		if err != nil {
			return nil, fmt.Errorf("cannot look at the runs of jobs: %w", err)
		}
		all = append(all, runs...)
	}
	return all, nil
}

func coresOf(nodes []*store.Node) map[string]int {
	cores := map[string]int{}
	for _, n := range nodes {
		cores[n.Hostname] = n.InstanceType.Cores
	}
	return cores
}

// read fills in the rows that the observation is about. It runs in the
// transaction that writes them, so that no submission slips between.
func (v *jobsView) read(ctx context.Context, tx store.Tx) (err error) {
	if v.Open, err = tx.OpenJobs(ctx, v.ClusterID); err != nil {
		return err
	}
	if v.Runs.Open, err = tx.OpenRuns(ctx, v.ClusterID); err != nil {
		return err
	}
	open := map[string]bool{}
	for _, row := range v.Open {
		open[row.SchedID] = true
	}
	seen := slices.Concat(ids(v.Seen.Queue), ids(v.Seen.Ends))
	slices.Sort(seen)
	others := slices.DeleteFunc(slices.Compact(seen), func(id string) bool { return open[id] })
	if v.Known, err = tx.JobsOfSched(ctx, v.ClusterID, others); err != nil {
		return err
	}
	if v.Names, err = tx.AccountNames(ctx, v.ClusterID); err != nil {
		return err
	}
	v.Names[0] = "root"
	if v.Resubmitted, err = tx.ResubmittedTokens(ctx, v.ClusterID); err != nil {
		return err
	}
	if v.Orphans, err = tx.TokensWithoutJob(ctx, v.ClusterID, v.unknownTokens()); err != nil {
		return err
	}
	v.Gone, err = tx.DeletedUIDs(ctx, v.ClusterID)
	return err
}

// unknownTokens are those of ours that the observation shows and none of the
// rows that were read has.
func (v *jobsView) unknownTokens() (list []string) {
	known := map[string]bool{"": true}
	for _, row := range slices.Concat(v.Open, v.Known) {
		known[row.Token] = true
	}
	for _, j := range slices.Concat(v.Seen.Queue, v.Seen.Ends) {
		if !known[j.Token] {
			known[j.Token] = true
			list = append(list, j.Token)
		}
	}
	return list
}
