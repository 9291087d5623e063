package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"ehpc/internal/hpc"
)

// ScalePlan is what the loop would do with a cluster now, with the reasons of
// what it does not do. It changes nothing.
func (ctl *Control) ScalePlan(ctx context.Context, clusterID string) (hpc.ScalePlan, error) {
	now := time.Now()
	v, _, err := ctl.observeScale(ctx, clusterID, now, true)
	if err != nil {
		return hpc.ScalePlan{}, fmt.Errorf("cannot plan the auto scaling of cluster %s: %w", clusterID, err)
	}
	if v == nil {
		return hpc.ScalePlan{Off: true}, nil
	}
	row := *v.Config
	row.Said = nil // what was told is told again
	v.Config = &row
	steps, err := ctl.settle(ctx, ctl.Store.Read(), v, now)
	if err != nil {
		return hpc.ScalePlan{}, fmt.Errorf("cannot plan the auto scaling of cluster %s: %w", clusterID, err)
	}
	var plan hpc.ScalePlan
	if v.Sched == nil {
		plan.Unknown = "its scheduler does not answer: nothing is added, and no node goes"
	}
	for _, s := range steps {
		plan.Steps = append(plan.Steps, s.decision())
	}
	return plan, nil
}

func (s scaleStep) decision() hpc.ScaleDecision {
	d := hpc.ScaleDecision{Act: string(s.Act), Idle: s.Act == addNone || s.Act == leaveNode || s.Act == hinderJob, Queue: s.Queue, Count: s.Count, Reason: s.Reason, Line: s.line()}
	if s.Node != nil {
		d.NodeID, d.Hostname = s.Node.ID, s.Node.Hostname
		d.Type, d.Strategy, d.Limit = s.Node.InstanceType.Name, s.Node.SpotStrategy, s.Node.SpotPriceLimit
	}
	if s.Job != nil {
		d.JobID = cmp.Or(s.Job.PublicID, s.Job.SchedID)
	}
	if s.Offer != nil {
		d.Type, d.Strategy, d.Limit = s.Offer.Name, s.Offer.Strategy, s.Offer.Limit
	}
	return d
}

// line is a decision as the cluster's log has it.
func (s scaleStep) line() string {
	what := ""
	switch s.Act {
	case addNodes:
		what = fmt.Sprintf("%d nodes of type %s are added to queue %s%s", s.Count, s.Offer, s.Queue, s.Hosts)
	case addNone:
		what = "nothing is added to queue " + s.Queue
	case countIdle:
		what = fmt.Sprintf("node %s of queue %s has been idle at %d checks", s.Node.Hostname, s.Queue, s.Count)
	case hinderJob:
		what = "job " + cmp.Or(s.Job.PublicID, s.Job.SchedID)
	default:
		done := map[scaleAct]string{resetNode: "is reset", giveUpNode: "is given up", drainIdle: "is drained", keepNode: "is kept", releaseIdle: "is released", leaveNode: "stays"}
		what = fmt.Sprintf("node %s of queue %s %s", s.Node.Hostname, s.Queue, done[s.Act])
	}
	return what + ": " + cmp.Or(s.Reason, "nothing keeps it any more")
}
