package ehpctest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"ehpc/api"
)

func (p *Plane) scalePlan(t *testing.T, id string) (a api.DescribeAutoScalePlanResponse) {
	t.Helper()
	must(t, p.Do(t.Context(), &api.DescribeAutoScalePlanRequest{ClusterId: id}, &a))
	return a
}

// everything is what a plan could have changed.
func (p *Plane) everything(t *testing.T, id string) []any {
	t.Helper()
	c, queues, err := p.Store.Read().Scale(t.Context(), id)
	must(t, err)
	jobs, err := p.Store.Read().OpenJobs(t.Context(), id)
	must(t, err)
	var logs api.ListClusterLogsResponse
	must(t, p.Do(t.Context(), &api.ListClusterLogsRequest{ClusterId: id, PageNumber: 1, PageSize: 100}, &logs))
	logs.RequestId = ""
	return []any{c, queues, jobs, p.rows(t, id), logs}
}

func TestWhatAutoScalingWouldDoIsShownAndNotDone(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 2, time.Hour)
	if got := p.scalePlan(t, id); !strings.Contains(got.Summary, "auto scaling is off for cluster "+id) || len(got.Steps.StepInfo) != 0 {
		t.Errorf("while it is off: %+v", got)
	}
	q := wideArray(id, 5)
	p.submit(t, q)
	never := job(id, "./run.sh")
	never.Thread = new(64)
	big := p.submit(t, never)
	seen := func() (running, pending int) {
		o, err := w.SchedulerOf(id).Observe(t.Context(), "")
		must(t, err)
		for _, j := range o.Queue {
			if j.State == "RUNNING" {
				running++
			} else if !j.Held {
				pending++
			}
		}
		return running, pending
	}
	p.Until(t, "two tasks run, the others wait", func() bool { running, pending := seen(); return running == 2 && pending >= 2 })
	p.Kill()
	p = Start(t, w, Options{Dir: p.dir, Paused: true})
	w.Machines.Stock("ecs.c5.large", 1)
	p.growBy(t, id, "ecs.c5.large,ecs.c6.large", "Queues.1.SpotStrategy", "SpotAsPriceGo", "Queues.1.EnableAutoShrink", "true", "EnableAutoGrow", "true")
	before := p.everything(t, id)
	plan := p.scalePlan(t, id)
	if after := p.everything(t, id); !reflect.DeepEqual(after, before) {
		t.Errorf("it has changed %+v\nto %+v", before, after)
	}
	if plan.Summary != "would be done now: add nodes: 3" {
		t.Errorf("the summary is %q", plan.Summary)
	}
	text := ""
	for _, s := range plan.Steps.StepInfo {
		text += s.Message + "\n"
		if s.Action == "add nodes" && (s.SpotStrategy != "SpotAsPriceGo" || s.QueueName != "workq") {
			t.Errorf("it is not preemptible: %+v", s)
		}
	}
	for _, line := range []string{
		"1 nodes of type ecs.c5.large (preemptible) are added to queue workq: waiting jobs: 4, nodes of the queue: 2",
		"2 nodes of type ecs.c6.large (preemptible) are added to queue workq",
		"no capacity for ecs.c5.large until",
		"job " + big + ": no node is added for it: it asks for 64 cores on a node",
		"node compute000 of queue workq stays: it is not idle",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("it does not tell %q:\n%s", line, text)
		}
	}
}

func TestWhyAutoScalingDoesNothingIsShown(t *testing.T) {
	t.Parallel()
	w, p, id := scaled(t, 1, time.Hour)
	must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night"))
	p.Kill()
	p = Start(t, w, Options{Dir: p.dir, Paused: true})
	must(t, call(t, p, "SetAutoScaleConfig", "ClusterId", id, "EnableAutoGrow", "true", "EnableAutoShrink", "true", "MaxNodesInCluster", "4", "Queues.1.QueueName", "night"))
	plan := p.scalePlan(t, id)
	said := map[string]string{}
	for _, s := range plan.Steps.StepInfo {
		said[s.Action+" "+s.QueueName+s.HostName] = s.Message
	}
	for what, line := range map[string]string{
		"add none workq":        "nothing is added to queue workq: waiting jobs: 0, nodes of the queue: 1, which are enough",
		"add none night":        "nothing is added to queue night: growing is off for it",
		"count workqcompute000": "node compute000 of queue workq has been idle at 1 checks: this one found it so",
	} {
		if said[what] != line {
			t.Errorf("%s: %q, want %q", what, said[what], line)
		}
	}
	if err := call(t, p, "DescribeAutoScalePlan", "ClusterId", "ehpc-hz-none"); codeOf(t, err) != "ClusterNotFound" {
		t.Errorf("%v", err)
	}
	w.Machines.Kill(p.rows(t, id)[0].ID) // the manager's
	if err := call(t, p, "DescribeAutoScalePlan", "ClusterId", id); codeOf(t, err) != "ServiceUnavailable" {
		t.Errorf("without its manager: %v", err)
	}
}
