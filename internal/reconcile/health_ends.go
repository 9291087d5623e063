package reconcile

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// failuresKept bounds the failed jobs that a node's row keeps.
const failuresKept = 10

// countEnds notes on the nodes of ended jobs which of them failed, once for each
// completion record: in the transaction that moves the cursor over them. It
// tells whether some node may have become sick.
func countEnds(ctx context.Context, tx store.Tx, nodes []*store.Node, v *jobsView) (sick bool, err error) {
	if len(v.Seen.Ends) == 0 {
		return false, nil
	}
	rows := map[string]*store.Job{}
	for _, row := range slices.Concat(v.Open, v.Known) {
		rows[row.SchedID] = row
	}
	ends := map[string][]scheduler.Job{} // by host
	for _, e := range v.Seen.Ends {
		e = asWritten(e)
		if row := rows[rowID(e)]; row != nil {
			e = asStopped(row, e)
		}
		if e.State != hpc.JobFailed && e.State != hpc.JobNodeFail && e.State != hpc.JobCompleted {
			continue
		}
		for _, host := range e.Nodes {
			ends[host] = append(ends[host], e)
		}
	}
	failed := map[string]bool{} // hosts that have failed jobs already
	for _, n := range nodes {
		failed[n.Hostname] = len(n.Health.Failures) > 0 || n.Health.InRow > 0
	}
	maps.DeleteFunc(ends, func(host string, ends []scheduler.Job) bool {
		return !failed[host] && !slices.ContainsFunc(ends, func(e scheduler.Job) bool { return e.State != hpc.JobCompleted })
	})
	return noteEnds(ctx, tx, v.ClusterID, ends)
}

// countWritten is countEnds for a job that the scheduler lost, by the last runs of
// its tasks as they were written down. One that was killed counts for nothing: it
// went with its machine, which is made anew, or somebody killed it.
func countWritten(ctx context.Context, tx store.Tx, row *store.Job, last []hpc.Run) (sick bool, err error) {
	ends := map[string][]scheduler.Job{}
	for _, r := range last {
		if r.Killed != "" {
			continue
		}
		e := scheduler.Job{ID: row.SchedID, UID: row.Spec.UID, State: hpc.JobCompleted, Start: r.Began, End: r.Ended, Nodes: []string{r.Host}}
		if r.ExitCode != 0 {
			e.State = hpc.JobFailed
		}
		if r.Task == "" && slices.Contains(row.NodeList, r.Host) {
			e.Nodes = row.NodeList
		}
		for _, host := range e.Nodes {
			ends[host] = append(ends[host], e)
		}
	}
	return noteEnds(ctx, tx, row.ClusterID, ends)
}

// noteEnds counts the ends of jobs by the host that they were on.
func noteEnds(ctx context.Context, tx store.Tx, clusterID string, ends map[string][]scheduler.Job) (sick bool, err error) {
	some, err := tx.NodesNamed(ctx, clusterID, slices.Sorted(maps.Keys(ends)))
	if err != nil {
		return false, err
	}
	for _, n := range some {
		before := n.Health
		n.Health.Failures = slices.Clone(before.Failures)
		for _, e := range ends[n.Hostname] {
			countEnd(n, e)
		}
		if n.Health.InRow == before.InRow && slices.Equal(n.Health.Failures, before.Failures) {
			continue
		}
		if err := tx.NoteFailures(ctx, n); err != nil {
			return false, err
		}
		sick = sick || n.Health.InRow >= failuresLimit
	}
	return sick, nil
}

// countEnd brings a node's failed jobs up to date with one more end on it. The
// tasks of an array that fail are one job, and so is a job that was requeued. A
// job that completes ends the row, and shows that its account's jobs work here.
func countEnd(n *store.Node, e scheduler.Job) {
	if began := cmp.Or(e.Start, e.End); began.Before(n.Health.Since) {
		return // on the machine that was here before
	}
	h := &n.Health
	if e.State == hpc.JobCompleted {
		h.InRow = 0
		h.Failures = slices.DeleteFunc(h.Failures, func(f hpc.JobFailure) bool { return f.UID == e.UID })
		return
	}
	same := func(f hpc.JobFailure) bool { return f.Job == rowID(e) }
	if !slices.ContainsFunc(inRow(n), same) {
		h.InRow++
	}
	h.Failures = append(slices.DeleteFunc(h.Failures, same), hpc.JobFailure{Job: rowID(e), UID: e.UID, At: e.End.Round(0).UTC()})
	h.Failures = h.Failures[max(0, len(h.Failures)-failuresKept):]
	h.InRow = min(h.InRow, len(h.Failures))
}
