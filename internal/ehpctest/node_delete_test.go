package ehpctest

import (
	"errors"
	"testing"

	"ehpc/api"
	provfake "ehpc/internal/provider/fake"
)

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
