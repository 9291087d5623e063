package main

import (
	"testing"

	"ehpc/api"
)

func TestJobStopAndDelete(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{"StopJobs": {api.StopJobsResponse{}}, "DeleteJobs": {api.DeleteJobsResponse{}}})
	for verb, action := range map[string]string{"stop": "StopJobs", "delete": "DeleteJobs"} {
		s.run("", nil, "job", verb, "ehpc-hz-1", "1", "2", "-o", "id").want(t, 0, "1\n2\n", "")
		if got, want := s.request(action).Get("Jobs"), `[{"Id":"1"},{"Id":"2"}]`; got != want {
			t.Errorf("%s was sent %s, want %s", action, got, want)
		}
		s.run("", nil, "job", verb, "ehpc-hz-1").want(t, 2, "", "missing JOB")
	}
}
