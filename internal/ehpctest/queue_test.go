package ehpctest

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

func (p *Plane) queues(t *testing.T, id string) (names []string) {
	t.Helper()
	var a api.ListQueuesResponse
	must(t, p.Do(t.Context(), &api.ListQueuesRequest{ClusterId: id}, &a))
	for _, q := range a.Queues.QueueInfo {
		names = append(names, q.QueueName)
	}
	return names
}

// planned tells whether every node was told of these queues.
func (p *Plane) planned(t *testing.T, w *World, id string, want ...string) bool {
	t.Helper()
	for _, n := range p.Nodes(t, id) {
		plan, _ := w.Agent(n.Id).Plan()
		var have []string
		for _, q := range plan.Queues {
			have = append(have, q.Name)
		}
		if !slices.Equal(have, want) {
			return false
		}
	}
	return true
}

func (p *Plane) inQueue(t *testing.T, id, queue string) (hosts []string) {
	t.Helper()
	var a api.ListNodesByQueueResponse
	must(t, p.Do(t.Context(), &api.ListNodesByQueueRequest{ClusterId: id, QueueName: queue, PageNumber: 1, PageSize: 50}, &a))
	for _, n := range a.Nodes.NodeInfo {
		hosts = append(hosts, n.HostName)
	}
	slices.Sort(hosts)
	return hosts
}

func call(t *testing.T, p *Plane, action string, pairs ...string) error {
	t.Helper()
	_, err := p.Call(t.Context(), action, values(pairs...))
	return err
}

func values(pairs ...string) url.Values {
	in := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		in.Set(pairs[i], pairs[i+1])
	}
	return in
}

// queueOf is the queue that the scheduler has a node in.
func (w *World) queueOf(t *testing.T, id, host string) string {
	t.Helper()
	nodes, _ := w.SchedulerOf(id).Nodes(t.Context()) // a failure is the answer to another's question
	for _, n := range nodes {
		if n.Name == host {
			return n.Queue
		}
	}
	return ""
}

func TestQueues(t *testing.T) {
	t.Parallel()
	w, p, id := withLongJobs(t)
	t.Run("an added one is on every node when the answer comes", func(t *testing.T) {
		begun := time.Now()
		must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "night"))
		if took := time.Since(begun); took > 2*time.Second || !p.planned(t, w, id, "workq", "night") {
			t.Errorf("after %s the nodes do not know it", took)
		}
		if got := p.queues(t, id); !slices.Equal(got, []string{"workq", "night"}) {
			t.Errorf("queues %v", got)
		}
	})
	t.Run("nodes are moved to it, and added to it", func(t *testing.T) {
		must(t, call(t, p, "SetQueue", "ClusterId", id, "QueueName", "night", "Node.1.Name", "compute001"))
		must(t, call(t, p, "AddNodes", "ClusterId", id, "JobQueue", "night", "Count", "1"))
		p.Until(t, "the third node is in service", func() bool {
			nodes := p.Nodes(t, id)
			return len(nodes) == 5 && !slices.ContainsFunc(nodes, func(n api.ListNodesNoPagingNodeInfo) bool { return n.Status != "running" })
		})
		if work, night := p.inQueue(t, id, "workq"), p.inQueue(t, id, "night"); !slices.Equal(work, []string{"compute000"}) || !slices.Equal(night, []string{"compute001", "compute002"}) {
			t.Errorf("workq has %v, night has %v", work, night)
		}
		for _, n := range p.Nodes(t, id) {
			plan, _ := w.Agent(n.Id).Plan()
			for _, m := range plan.Members {
				if want := map[string]string{"compute000": "workq", "compute001": "night", "compute002": "night"}[m.Hostname]; m.Queue != want {
					t.Errorf("%s was told that %s is of %q", n.HostName, m.Hostname, m.Queue)
				}
			}
		}
	})
	t.Run("the scheduler has the nodes where the rows have them", func(t *testing.T) {
		p.Until(t, "the scheduler has moved it", func() bool { return w.queueOf(t, id, "compute001") == "night" })
		if first, third := w.queueOf(t, id, "compute000"), w.queueOf(t, id, "compute002"); first != "workq" || third != "night" {
			t.Errorf("compute000 is in %q, compute002 in %q", first, third)
		}
		w.SchedulerOf(id).Fail("Move", scheduler.ErrUnavailable)
		must(t, call(t, p, "SetQueue", "ClusterId", id, "QueueName", "workq", "Node.1.Name", "compute001"))
		p.Until(t, "it is moved back, after a failure", func() bool { return w.queueOf(t, id, "compute001") == "workq" })
		must(t, call(t, p, "SetQueue", "ClusterId", id, "QueueName", "night", "Node.1.Name", "compute001"))
		p.Until(t, "it is moved once more", func() bool { return w.queueOf(t, id, "compute001") == "night" })
	})
	t.Run("jobs go to it", func(t *testing.T) {
		q := job(id, "./run.sh")
		q.JobQueue = "night"
		one := p.submit(t, q)
		got := p.untilState(t, id, one, "RUNNING")
		if got.NodeList != `["compute001"]` {
			t.Errorf("it runs on %s", got.NodeList)
		}
		must(t, call(t, p, "StopJobs", "ClusterId", id, "Jobs", named(one)))
		p.untilState(t, id, one, "CANCELLED")
	})
	t.Run("it goes when it has nothing any more", func(t *testing.T) {
		must(t, call(t, p, "SetQueue", "ClusterId", id, "QueueName", "workq", "Node.1.Name", "compute001", "Node.2.Name", "compute002"))
		for range 2 {
			must(t, call(t, p, "DeleteQueue", "ClusterId", id, "QueueName", "night", "ClientToken", "gone-1"))
		}
		if got := p.queues(t, id); !slices.Equal(got, []string{"workq"}) || !p.planned(t, w, id, "workq") {
			t.Errorf("queues %v", got)
		}
		q := job(id, "./run.sh")
		q.JobQueue = "night"
		err := p.Do(t.Context(), q, &api.SubmitJobResponse{})
		if got := codeOf(t, err); got != "InvalidParams" || !strings.Contains(err.Error(), "JobQueue") {
			t.Errorf("a job for it: %v", err)
		}
	})
}

func TestBadQueuesChangeNothing(t *testing.T) {
	t.Parallel()
	w, p, id := withLongJobs(t)
	for _, name := range []string{"busy", "held", "empty"} {
		must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", name))
	}
	must(t, call(t, p, "SetQueue", "ClusterId", id, "QueueName", "busy", "Node.1.Name", "compute001"))
	q := job(id, "./run.sh")
	q.JobQueue = "held"
	p.untilState(t, id, p.submit(t, q), "PENDING") // the queue has no nodes
	byHand, err := w.SchedulerOf(id).Submit(t.Context(), hpc.JobSpec{Token: "strange", Script: "true", Queue: "empty"})
	must(t, err)
	must(t, w.SchedulerOf(id).Release(t.Context(), byHand))
	p.untilState(t, id, byHand, "PENDING")
	leaving := p.Nodes(t, id)[2]
	for name, c := range map[string]struct{ action, params, code, says string }{
		"a name with a line of configuration":   {"AddQueue", "QueueName=q%0AInclude+x", "InvalidParams", "QueueName"},
		"a name with a space":                   {"AddQueue", "QueueName=my+q", "InvalidParams", "QueueName"},
		"a name that is empty":                  {"AddQueue", "QueueName=", "MissingQueueName", "QueueName"},
		"a name of a host":                      {"AddQueue", "QueueName=compute007", "InvalidParams", "QueueName"},
		"a name that there is, in another case": {"AddQueue", "QueueName=WorkQ", "InvalidParams", "QueueName: cluster " + id + " has the queue workq"},
		"a queue of an unknown cluster":         {"AddQueue", "QueueName=a&ClusterId=ehpc-hz-none", "ClusterNotFound", "ehpc-hz-none"},
		"the deletion of the default queue":     {"DeleteQueue", "QueueName=workq", "InvalidOpt", "QueueName: workq"},
		"the deletion of an unknown queue":      {"DeleteQueue", "QueueName=none", "ObjectNotFound", "QueueName"},
		"the deletion of a queue with nodes":    {"DeleteQueue", "QueueName=busy", "ConflictOpt", "QueueName: queue busy of cluster " + id + " has the nodes compute001"},
		"the deletion of a queue with a job":    {"DeleteQueue", "QueueName=held", "ConflictOpt", "QueueName: queue held of cluster " + id + " has 1 jobs"},
		"that of one with a job sent on a node": {"DeleteQueue", "QueueName=empty", "ConflictOpt", "QueueName: queue empty of cluster " + id + " has 1 jobs"},
		"no nodes to move":                      {"SetQueue", "QueueName=busy", "InvalidParams", "Node has 0 entries"},
		"nodes to an unknown queue":             {"SetQueue", "QueueName=none&Node.1.Name=compute000", "ObjectNotFound", "QueueName"},
		"an unknown node":                       {"SetQueue", "QueueName=busy&Node.1.Name=compute000&Node.2.Name=compute009", "PartFailure", "Node.2.Name"},
		"a node twice":                          {"SetQueue", "QueueName=busy&Node.1.Name=compute000&Node.2.Name=compute000", "InvalidParams", "Node.2.Name"},
		"a node that is no compute node":        {"SetQueue", "QueueName=busy&Node.1.Name=manager", "InvalidOpt", "Node.1.Name"},
		"nodes added to an unknown queue":       {"AddNodes", "JobQueue=none&Count=1", "InvalidParams", "JobQueue"},
	} {
		t.Run(name, func(t *testing.T) {
			before := p.dump(t)
			params, err := url.ParseQuery(c.params)
			must(t, err)
			if !params.Has("ClusterId") {
				params.Set("ClusterId", id)
			}
			_, err = p.Call(t.Context(), c.action, params)
			if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %s and %q", err, c.code, c.says)
			}
			p.unchanged(t, before)
		})
	}
	t.Run("a queue is not deleted while its jobs cannot be told", func(t *testing.T) {
		w.SchedulerOf(id).Fail("Observe", scheduler.ErrUnavailable)
		before := p.dump(t)
		for code := ""; code != "ServiceUnavailable"; { // the loops may have met all the failures
			for range 100 { // the client tries again
				w.SchedulerOf(id).Fail("Observe", scheduler.ErrUnavailable)
			}
			code = codeOf(t, call(t, p, "DeleteQueue", "ClusterId", id, "QueueName", "empty"))
		}
		p.unchanged(t, before)
	})
	t.Run("a node that is being deleted is not moved", func(t *testing.T) {
		must(t, call(t, p, "DeleteNodes", "ClusterId", id, "ReleaseInstance", "true", "Instance.1.Id", leaving.Id))
		err := call(t, p, "SetQueue", "ClusterId", id, "QueueName", "busy", "Node.1.Name", leaving.HostName)
		if got := codeOf(t, err); got != "InvalidNodeStatus" && got != "ComputeNotFound" || !strings.Contains(err.Error(), "Node.1.Name") {
			t.Errorf("%v", err)
		}
	})
}

func TestThereIsALimitOfQueues(t *testing.T) {
	t.Parallel()
	_, p, id := withLongJobs(t)
	for i := range 63 {
		must(t, call(t, p, "AddQueue", "ClusterId", id, "QueueName", "q"+strings.Repeat("x", i)))
	}
	before := p.dump(t)
	err := call(t, p, "AddQueue", "ClusterId", id, "QueueName", "last")
	if got := codeOf(t, err); got != "InvalidParams" || !strings.Contains(err.Error(), "QueueName") || !strings.Contains(err.Error(), "limit is 64") {
		t.Errorf("%v", err)
	}
	p.unchanged(t, before)
}
