package action

import (
	"context"
	"fmt"
	"strings"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// jobsAround is what a cluster's jobs wait for.
type jobsAround struct {
	budgets budgetsNow
	nodes   []*store.Node // compute nodes that are there or will be
	grows   func(queue string) bool
}

// around is what the jobs among these that wait do so for.
func (s *Service) around(ctx context.Context, clusterID string, rows ...*store.Job) (jobsAround, error) {
	budgets, err := s.budgets(ctx, clusterID)
	a := jobsAround{budgets: budgets}
	waits := false
	for _, j := range rows {
		waits = waits || j.State == hpc.JobPending
	}
	if err != nil || !waits {
		return a, err
	}
	if a.grows, err = s.growth(ctx, clusterID); err != nil {
		return a, err
	}
	nodes, err := s.Store.Nodes(ctx, clusterID)
	for _, n := range nodes {
		if n.Wanted && n.HasRole(hpc.RoleCompute) {
			a.nodes = append(a.nodes, n)
		}
	}
	return a, err
}

// comment tells why a job waits, or how it ended.
func (a jobsAround) comment(j *store.Job) string {
	switch {
	case j.State == hpc.JobPending:
		return orElse(a.budgets.comment(j), a.whyItWaits(j))
	case j.State == hpc.JobAccepted:
		return "is handed to the scheduler again, which had lost it"
	case !j.State.Ended():
		return j.Reason
	case j.ExitCode == hpc.ExitNotLaunched:
		return fmt.Sprintf("exit status %d: the job could not be started; its working directory, or the directory of its output, is missing or closed to the account", j.ExitCode)
	}
	var said []string
	if j.ExitCode != 0 {
		said = append(said, fmt.Sprintf("exit status %d", j.ExitCode))
	}
	switch {
	case j.State == hpc.JobNodeFail && !strings.HasPrefix(j.Reason, nodeFailed):
		said = append(said, nodeFailed)
	case j.State == hpc.JobNodeFail:
		said = append(said, j.Reason)
	case j.State == hpc.JobFailed && j.Reason != strings.ToUpper(j.Reason): // a scheduler's word for it is the state again
		said = append(said, j.Reason)
	}
	return strings.Join(said, ": ")
}

// nodeFailed begins what is written down of a run whose node failed.
const nodeFailed = "its node failed"

// whyItWaits is a sentence of ours, the scheduler's words beside it, and why no
// node is added for the job.
func (a jobsAround) whyItWaits(j *store.Job) string {
	words := j.Reason
	text := hpc.WhyItWaits(words, j.Queue)
	if handed := j.Token != "" && !j.Released; handed && (words == "" || strings.HasPrefix(words, "JobHeld")) {
		text, words = "is just being released to the scheduler", ""
	}
	if lack := a.lack(j); lack != "" {
		text = "cannot start: " + lack
	}
	if words != "" && words != text {
		text += " (" + words + ")"
	}
	if j.Hindrance != "" {
		text += "; " + j.Hindrance
	}
	return text
}

// lack says what the nodes of a job's queue lack for it, none of which is busy;
// "" if nothing, if others may be added by themselves, or if it is not known.
func (a jobsAround) lack(j *store.Job) string {
	if j.Token == "" || j.Queue == "" || a.grows == nil || a.grows(j.Queue) || j.Released && !hpc.WaitsForNodes(j.Reason) {
		return ""
	}
	spec, enough := j.Spec, 0
	cores := max(spec.Tasks, 1) * max(spec.Threads, 1)
	var most hpc.InstanceType // of each, on whatever node
	there := 0
	for _, n := range a.nodes {
		if n.Queue != j.Queue {
			continue
		}
		there++
		t := n.InstanceType
		most.Cores, most.MemoryMB, most.GPUs = max(most.Cores, t.Cores), max(most.MemoryMB, t.MemoryMB), max(most.GPUs, t.GPUs)
		if t.Cores >= cores && t.MemoryMB >= spec.MemoryMB && t.GPUs >= spec.GPUs {
			enough++
		}
	}
	const asks = "it asks for %d %s on a node, the largest node of queue %s has %d"
	switch nodes := max(spec.Nodes, 1); {
	case there == 0:
		return fmt.Sprintf("queue %s has no nodes", j.Queue)
	case most.Cores < cores:
		return fmt.Sprintf(asks, cores, "cores", j.Queue, most.Cores)
	case most.MemoryMB < spec.MemoryMB:
		return fmt.Sprintf(asks, spec.MemoryMB, "MB of memory", j.Queue, most.MemoryMB)
	case most.GPUs < spec.GPUs:
		return fmt.Sprintf(asks, spec.GPUs, "GPUs", j.Queue, most.GPUs)
	case enough == 0:
		return fmt.Sprintf("no node of queue %s has all that it asks for", j.Queue)
	case enough < nodes && enough < there:
		return fmt.Sprintf("it asks for %d nodes, only %d of queue %s are large enough for it", nodes, enough, j.Queue)
	case enough < nodes:
		return fmt.Sprintf("it asks for %d nodes, queue %s has %d", nodes, j.Queue, there)
	}
	return ""
}
