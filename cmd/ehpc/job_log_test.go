package main

import (
	"encoding/json"
	"testing"

	"ehpc/api"
)

func described(j job) api.DescribeJobResponse {
	text, err := json.Marshal(map[string]jobInFull{j.Id: {job: j}})
	if err != nil {
		panic(err) // texts always marshal
	}
	return api.DescribeJobResponse{Message: api.DescribeJobMessage{JobInfo: string(text)}}
}

func TestJobLog(t *testing.T) {
	t.Parallel()
	printed := func(parts ...string) (list []any) {
		for _, text := range parts {
			list = append(list, api.GetJobLogResponse{OutputLog: text, ErrorLog: "trouble: " + text})
		}
		return append(list, api.GetJobLogResponse{})
	}
	apart, together := job{Id: "7", State: "RUNNING", Stdout: "/h/out", Stderr: "/h/err"}, job{Id: "7", State: "COMPLETED", Stdout: "/h/out", Stderr: "/h/out"}
	t.Run("prints all parts, each from where the last ended", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"DescribeJob": {described(together)}, "GetJobLog": printed("Loop\nti", "mé\n")})
		if got := s.run("", nil, "job", "log", "ehpc-hz-1", "7"); got.out != "Loop\ntimé\n" || got.status != 0 {
			t.Errorf("%+v", got)
		}
		if got := s.request("GetJobLog").Get("Offset"); got != "11" {
			t.Errorf("the last part was asked for from %s on", got)
		}
	})
	t.Run("is called output too", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"DescribeJob": {described(together)}, "GetJobLog": printed("x")})
		s.run("", nil, "job", "output", "ehpc-hz-1", "7").want(t, 0, "x", "")
	})
	t.Run("prints the last lines alone", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string]string{"1\n2\n3\n4\n": "3\n4\n", "1\n2\n3": "2\n3", "1": "1", "\n\n\n": "\n\n"} {
			s := newService(t, map[string][]any{"DescribeJob": {described(together)}, "GetJobLog": printed(text[:1], text[1:])})
			if len(text) == 1 {
				s = newService(t, map[string][]any{"DescribeJob": {described(together)}, "GetJobLog": printed(text)})
			}
			if got := s.run("", nil, "job", "log", "ehpc-hz-1", "7", "-n", "2"); got.out != want {
				t.Errorf("of %q it prints %q, want %q", text, got.out, want)
			}
		}
	})
	t.Run("prints errors where they are apart", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"DescribeJob": {described(apart)}, "GetJobLog": printed("x")})
		s.run("", nil, "job", "log", "ehpc-hz-1", "7", "--stderr").want(t, 0, "trouble: x", "")
		s = newService(t, map[string][]any{"DescribeJob": {described(together)}, "GetJobLog": printed("x")})
		if got := s.run("", nil, "job", "log", "ehpc-hz-1", "7", "--stderr"); got.out != "x" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("follows a task until its array has ended, and reads once more then", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{
			"DescribeJob": {described(apart), described(apart), described(apart), described(together)},
			"GetJobLog":   {printed("a")[0], api.GetJobLogResponse{}, api.GetJobLogResponse{}, printed("b")[0], api.GetJobLogResponse{}, printed("c")[0], api.GetJobLogResponse{}},
		})
		if got := s.run("", nil, "job", "log", "ehpc-hz-1", "7_3", "-f"); got.out != "abc" || got.status != 0 {
			t.Errorf("%+v", got)
		}
		if read, asked := s.request("GetJobLog").Get("JobId"), s.request("DescribeJob").Get("JobId"); read != "7_3" || asked != "7" {
			t.Errorf("read %s of job %s", read, asked)
		}
	})
	t.Run("gives programs one answer", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"DescribeJob": {described(together)}, "GetJobLog": printed("a", "b")})
		s.run("", nil, "job", "log", "ehpc-hz-1", "7", "-o", "json").want(t, 0, `"OutputLog": "ab"`, "")
	})
	t.Run("says what the service says", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"DescribeJob": {refusal{api.ObjectNotFound, "JobId: cluster c has no job \"9\""}}})
		s.run("", nil, "job", "log", "ehpc-hz-1", "9").want(t, exitRefused, "", "cannot find job 9")
	})
	t.Run("does not follow some lines", func(t *testing.T) {
		t.Parallel()
		newService(t, nil).run("", nil, "job", "log", "ehpc-hz-1", "9", "-f", "-n", "3").want(t, 2, "", "--lines")
	})
}
