package reconcile

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
	"ehpc/internal/store"
)

// failuresKept bounds the jobs that a node's row keeps.
const failuresKept = 10

// verdict is what a job's end says of a node.
type verdict int

const (
	silent   verdict = iota // nothing
	works                   // it starts jobs: a script ran to its end there, with whatever exit status
	notBegun                // it did not start the job's script
	lostJob                 // it was lost with the job
)

// nodeEnd is the end of a job as far as it concerns a node.
type nodeEnd struct {
	Job     string // as its owner knows it
	UID     int
	Verdict verdict
	Start   time.Time
	End     time.Time
}

// rowOf finds the rows of ended jobs. It is made before rows are changed: one
// that is to be submitted again has no id of the scheduler's any more.
func (v *jobsView) rowOf() func(scheduler.Job) *store.Job {
	rows := map[string]*store.Job{}
	for _, row := range slices.Concat(v.Open, v.Known) {
		copied := *row
		rows[row.SchedID] = &copied
	}
	return func(e scheduler.Job) *store.Job { return rows[e.Whole()] }
}

// countEnds notes on the nodes of ended jobs what these say of them, once for each
// completion record: in the transaction that moves the cursor over them. It
// tells whether some node may have become sick.
func countEnds(ctx context.Context, tx store.Tx, nodes []*store.Node, v *jobsView, row func(scheduler.Job) *store.Job) (sick bool, err error) {
	ends := map[string][]nodeEnd{} // by host
	for _, e := range v.Seen.Ends {
		end, hosts := nodeEndOf(row(e), e)
		for _, host := range hosts {
			ends[host] = append(ends[host], end)
		}
	}
	accused := map[string]bool{} // hosts that have something against them already
	for _, n := range nodes {
		accused[n.Hostname] = len(n.Health.Failures) > 0 || n.Health.InRow > 0
	}
	maps.DeleteFunc(ends, func(host string, ends []nodeEnd) bool {
		return !accused[host] && !slices.ContainsFunc(ends, func(e nodeEnd) bool { return e.Verdict != works })
	})
	return noteEnds(ctx, tx, v.ClusterID, ends)
}

// nodeEndOf tells what a job's end says, and of which hosts. A script begins on the
// first of them; which of several was lost nobody can tell. That a directory is
// missing is the job's own fault, and so is an exit status.
func nodeEndOf(row *store.Job, e scheduler.Job) (nodeEnd, []string) {
	end := nodeEnd{Job: e.Whole(), UID: e.UID, Start: e.Start, End: e.End}
	if row != nil {
		end.Job = cmp.Or(row.PublicID, end.Job)
	}
	ours := row != nil && row.Token != "" && strings.EqualFold(e.Token, row.Token)
	switch {
	case len(e.Nodes) == 0, ours && row.Spec.UID != 0 && e.UID != row.Spec.UID: // the latter is the controller's mistake, see foreign
	case e.State == hpc.JobCompleted, e.Run != nil && e.Run.Over() && e.Run.Killed == "":
		end.Verdict = works
		return end, e.Nodes
	case ours && !row.Wanted:
	case e.State == hpc.JobNodeFail && (e.Run != nil || !ours):
		if len(e.Nodes) == 1 {
			end.Verdict = lostJob
		}
	case ours && e.Run == nil && (e.Array == "" || e.Task != "") && e.ExitCode != hpc.ExitNotLaunched &&
		(e.State == hpc.JobFailed || e.State == hpc.JobNodeFail):
		end.Verdict = notBegun
	}
	if end.Verdict == silent {
		return end, nil
	}
	return end, e.Nodes[:1]
}

// countWritten is countEnds for a job that the scheduler lost, by the last runs of
// its tasks as they were written down. One that was killed says nothing: it went
// with its machine, which is made anew, or somebody killed it.
func countWritten(ctx context.Context, tx store.Tx, row *store.Job, last []hpc.Run) error {
	ends := map[string][]nodeEnd{}
	for _, r := range last {
		if r.Killed == "" {
			ends[r.Host] = append(ends[r.Host], nodeEnd{Job: row.PublicID, UID: row.Spec.UID, Verdict: works, Start: r.Began, End: r.Ended})
		}
	}
	_, err := noteEnds(ctx, tx, row.ClusterID, ends)
	return err
}

// noteEnds counts the ends of jobs by the host that they were on.
func noteEnds(ctx context.Context, tx store.Tx, clusterID string, ends map[string][]nodeEnd) (sick bool, err error) {
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

// countEnd brings what speaks against a node up to date with one more end on it.
// The tasks of an array are one job, and so is a job that was requeued or submitted
// again. A script that ran to its end ends the row, and shows that its account's
// jobs work here.
func countEnd(n *store.Node, e nodeEnd) {
	if began := cmp.Or(e.Start, e.End); began.Before(n.Health.Since) {
		return // on the machine that was here before
	}
	h := &n.Health
	if e.Verdict == works {
		h.InRow = 0
		h.Failures = slices.DeleteFunc(h.Failures, func(f hpc.JobFailure) bool { return f.UID == e.UID })
		return
	}
	same := func(f hpc.JobFailure) bool { return f.Job == e.Job }
	if !slices.ContainsFunc(inRow(n), same) {
		h.InRow++
	}
	fresh := hpc.JobFailure{Job: e.Job, UID: e.UID, Lost: e.Verdict == lostJob, At: e.End.Round(0).UTC()}
	h.Failures = append(slices.DeleteFunc(h.Failures, same), fresh)
	h.Failures = h.Failures[max(0, len(h.Failures)-failuresKept):]
	h.InRow = min(h.InRow, len(h.Failures))
}
