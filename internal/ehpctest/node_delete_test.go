package ehpctest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/scheduler"
)

// occupied is a cluster of one node with two jobs on it that never end, of which
// the first may run again.
func occupied(t *testing.T) (w *World, p *Plane, id, again, fails string) {
	t.Helper()
	w, p, id = scaled(t, 1, 10000*time.Hour)
	q := job(id, "./run.sh")
	q.ReRunable = new(true)
	again, fails = p.submit(t, q), p.submit(t, job(id, "./run.sh"))
	for _, one := range []string{again, fails} {
		p.untilState(t, id, one, "RUNNING")
	}
	return w, p, id, again, fails
}

// goneWith checks what became of a node that did not wait for its jobs.
func (p *Plane) goneWith(t *testing.T, id, again, fails string) {
	t.Helper()
	p.Until(t, "the node is gone", func() bool { return len(p.rows(t, id)) == 2 })
	p.untilState(t, id, again, "PENDING")
	const why = "its node failed: it was deleted, and its jobs were not waited for"
	if j := p.untilState(t, id, fails, "NODE_FAIL"); !strings.Contains(j.Comment, why) {
		t.Errorf("the job that failed says %q", j.Comment)
	}
	if n := p.lines(t, id, "node compute000 goes before its jobs have ended: requeued jobs "+again+"; jobs that may not run again fail: "+fails); n != 1 {
		t.Errorf("what becomes of its jobs is told %d times", n)
	}
}

func TestANodeThatIsDeletedByForceGoesWithItsJobs(t *testing.T) {
	t.Parallel()
	_, p, id, again, fails := occupied(t)
	var a api.DeleteNodesResponse
	q := &api.DeleteNodesRequest{ClusterId: id, ReleaseInstance: true, Force: true, Instance: []api.DeleteNodesRequestInstance{{Id: p.node(t, id, "compute000").Id}}}
	must(t, p.Do(t.Context(), q, &a))
	if want := "requeued jobs " + again + "; jobs that may not run again fail: " + fails; a.Message != want {
		t.Errorf("the answer tells %q, want %q", a.Message, want)
	}
	if !p.told(t, id, "deletion accepted, without waiting for their jobs: compute000; "+a.Message) {
		t.Error("the log does not tell that it was accepted")
	}
	p.goneWith(t, id, again, fails)
}

func TestANodeThatIsDeletedWaitsNoLongerThanItsDrainLimit(t *testing.T) {
	t.Parallel()
	w, p, id, again, fails := occupied(t)
	n := p.node(t, id, "compute000").Id
	must(t, call(t, p, "DeleteNodes", "ClusterId", id, "Instance.1.Id", n, "DrainTimeout", "2"))
	if !p.told(t, id, "deletion accepted, once their jobs are done, and after 2s at the latest: compute000") {
		t.Error("the log does not tell of the limit")
	}
	p.Until(t, "it is drained, and told until when", func() bool {
		return w.inSched(t, id, "compute000").State == scheduler.NodeDraining &&
			strings.HasPrefix(p.node(t, id, "compute000").LockReason, "it goes once its jobs have ended, and at ")
	})
	p.goneWith(t, id, again, fails)
	if !p.told(t, id, "node compute000 is not waited for any longer: its drain limit has passed") {
		t.Error("the log does not tell that the limit has passed")
	}
}

func TestANodeThatIsGoingAlreadyCanBeToldToGoSooner(t *testing.T) {
	t.Parallel()
	for _, sooner := range []string{"Force=true", "DrainTimeout=1"} {
		t.Run(sooner, func(t *testing.T) {
			t.Parallel()
			w, p, id, again, fails := occupied(t)
			n := p.node(t, id, "compute000").Id
			must(t, call(t, p, "DeleteNodes", "ClusterId", id, "Instance.1.Id", n))
			p.Until(t, "it is drained", func() bool { return w.inSched(t, id, "compute000").State == scheduler.NodeDraining })
			if got := p.node(t, id, "compute000"); got.Status != "releasing" || got.LockReason != "it goes once its jobs have ended" {
				t.Errorf("it is shown as %+v", got)
			}
			name, value, _ := strings.Cut(sooner, "=")
			must(t, call(t, p, "DeleteNodes", "ClusterId", id, "Instance.1.Id", n, name, value))
			p.goneWith(t, id, again, fails)
		})
	}
}

func TestForceAndADrainLimitExcludeEachOther(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	id := p.Create(t, 1)
	n := p.node(t, id, "compute000").Id
	for _, more := range [][]string{{"Force", "true", "DrainTimeout", "5"}, {"DrainTimeout", "0"}, {"DrainTimeout", "-1"}} {
		if err := call(t, p, "DeleteNodes", append([]string{"ClusterId", id, "Instance.1.Id", n}, more...)...); err == nil || codeOf(t, err) != "InvalidParams" {
			t.Errorf("%v: %v", more, err)
		}
	}
	if got := p.node(t, id, "compute000"); got.Status != "running" {
		t.Errorf("it is %s", got.Status)
	}
}

func TestNodesThatAreGoingAreNoObstacleToADeletion(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := p.Create(t, 3)
	going, other, stays := p.node(t, id, "compute000").Id, p.node(t, id, "compute001").Id, p.node(t, id, "compute002").Id
	w.Machines.Hook(func(s provfake.Step) error { // so that it is still going at the second call
		if s.Op == provfake.Destroy && s.ID == going {
			return errors.New("its jobs go on")
		}
		return nil
	})
	remove := func(nodes ...string) (a api.DeleteNodesResponse) {
		q := &api.DeleteNodesRequest{ClusterId: id, ReleaseInstance: true}
		for _, n := range nodes {
			q.Instance = append(q.Instance, api.DeleteNodesRequestInstance{Id: n})
		}
		must(t, p.Do(t.Context(), q, &a))
		return a
	}
	remove(going)
	task := remove(going, other).TaskId
	p.Until(t, "the other is gone", func() bool { return len(p.rows(t, id)) == 4 })
	var tasks api.ListTasksResponse
	must(t, p.Do(t.Context(), &api.ListTasksRequest{ClusterId: id, TaskId: task, PageNumber: 1, PageSize: 10}, &tasks))
	if got := tasks.Tasks[0]; got.TotalSteps != 2 || got.Status != "Processing" {
		t.Errorf("the task of both is %+v", got)
	}
	remove(going)
	if n := p.lines(t, id, "deletion accepted", "compute000"); n != 1 {
		t.Errorf("the log tells %d times that compute000 is to be deleted", n)
	}
	w.Machines.Hook(nil)
	p.Until(t, "both are gone", func() bool { return len(p.rows(t, id)) == 3 })
	if p.node(t, id, "compute002").Id != stays {
		t.Error("the wrong node went")
	}
}
