package ehpctest

import (
	"strings"
	"testing"

	"ehpc/api"
)

func TestAClusterHoldsSoManyJobsAndNoMore(t *testing.T) {
	t.Parallel()
	w, p, id := withLongJobs(t)
	array := func(tasks string) *api.SubmitJobRequest {
		q := job(id, "./task.sh")
		q.ArrayRequest = tasks
		return q
	}
	first := p.submit(t, array("1-10000"))
	for range 8 {
		p.submit(t, array("1-10000"))
	}
	p.submit(t, array("2-10000"))
	refused := func(t *testing.T, q *api.SubmitJobRequest) {
		t.Helper()
		before, queued := p.dump(t), w.tokens(t, id)
		err := p.Do(t.Context(), q, &api.SubmitJobResponse{})
		if got := codeOf(t, err); got != "AgentError.Job.SubmitFailure" || !strings.Contains(err.Error(), "over 100000") {
			t.Errorf("%v", err)
		}
		p.unchanged(t, before)
		if now := w.tokens(t, id); now != queued {
			t.Errorf("the scheduler has %d submissions, before there were %d", now, queued)
		}
	}
	refused(t, array("1-2"))
	p.submit(t, job(id, "./last.sh"))
	refused(t, job(id, "./run.sh"))
	must(t, call(t, p, "StopJobs", "ClusterId", id, "Jobs", named(first)))
	p.untilState(t, id, first, "CANCELLED")
	p.submit(t, array("1-10000"))
	refused(t, job(id, "./run.sh"))
}

// tokens is how many submissions of ours the scheduler has.
func (w *World) tokens(t *testing.T, id string) int {
	t.Helper()
	seen, err := w.SchedulerOf(id).Observe(t.Context(), "")
	must(t, err)
	tokens := map[string]bool{}
	for _, j := range seen.Queue {
		tokens[j.Token] = true
	}
	return len(tokens)
}
