package ehpctest

import (
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/config"
	provfake "ehpc/internal/provider/fake"
)

func TestJobsOfLongAgo(t *testing.T) { onEveryEngine(t, testJobsOfLongAgo) }

func testJobsOfLongAgo(t *testing.T, engine string) {
	w := NewWorld(provfake.Options{})
	o := Options{Dir: t.TempDir(), Engine: engine, Config: func(c *config.Config) { c.EndedJobsAfter = 300 * time.Millisecond }}
	p := Start(t, w, o)
	id := withAccount(t, w, p, 1)
	one := p.submit(t, job(id, "./run.sh"))
	unlisted := func() { p.Until(t, "the job is listed no more", func() bool { return len(p.jobs(t, id)) == 0 }) }
	unlisted()
	describe := func() (string, error) {
		var a api.DescribeJobResponse
		err := p.Do(t.Context(), &api.DescribeJobRequest{ClusterId: id, JobId: one}, &a)
		return a.Message.JobInfo, err
	}
	t.Run("the cluster's log says that they are listed no more", func(t *testing.T) {
		p.Until(t, "a line", func() bool { return p.lines(t, id, "listed no more") > 0 })
	})
	t.Run("they are found by their ids, with their output and what they used", func(t *testing.T) {
		if text, err := describe(); err != nil || !strings.Contains(text, `"State":"COMPLETED"`) {
			t.Errorf("%s, %v", text, err)
		}
		must(t, p.Do(t.Context(), &api.GetJobLogRequest{ClusterId: id, JobId: one}, &api.GetJobLogResponse{}))
		if len(p.runsOf(t, id, one)) != 1 {
			t.Error("the ledger does not have its run")
		}
	})
	p.Kill()
	p = Start(t, w, o)
	t.Run("they are there after a start", func(t *testing.T) {
		p.Until(t, "it is found", func() bool { _, err := describe(); return err == nil })
	})
	t.Run("one that runs again is listed while it does, and not found twice", func(t *testing.T) {
		must(t, p.Do(t.Context(), &api.RerunJobsRequest{ClusterId: id, Jobs: `[{"Id":"` + one + `"}]`}, &api.RerunJobsResponse{}))
		p.Until(t, "both runs are in the ledger", func() bool { return len(p.runsOf(t, id, one)) == 2 })
		unlisted()
		if text, err := describe(); err != nil || strings.Count(text, `"Id":`) != 1 {
			t.Errorf("%s, %v", text, err)
		}
	})
	t.Run("one that is deleted is found no more", func(t *testing.T) {
		must(t, p.Do(t.Context(), &api.DeleteJobsRequest{ClusterId: id, Jobs: `[{"Id":"` + one + `"}]`}, &api.DeleteJobsResponse{}))
		if _, err := describe(); codeOf(t, err) != "ObjectNotFound" {
			t.Errorf("err = %v", err)
		}
	})
	t.Run("with their cluster they are deleted", func(t *testing.T) {
		must(t, p.Do(t.Context(), &api.DeleteClusterRequest{ClusterId: id}, &api.DeleteClusterResponse{}))
		p.Until(t, "the rows are gone", func() bool {
			for line := range strings.Lines(p.dump(t)) {
				if strings.HasPrefix(line, "jobs ") || strings.HasPrefix(line, "past_jobs ") {
					return false
				}
			}
			return true
		})
	})
}
