package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ehpc/api"
)

func TestJobSubmit(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{
		"SubmitJob": {api.SubmitJobResponse{JobId: "7"}},
		"DescribeJob": {
			described(job{Id: "7", State: "PENDING", NodeList: "[]", Comment: "waits for the scheduler to look at it"}),
			described(job{Id: "7", State: "PENDING", NodeList: "[]", Comment: "waits for nodes of queue workq to become free (Resources)"}),
			described(job{Id: "7", State: "RUNNING", NodeList: `["compute000","compute001"]`, StartTime: "2026-11-23T21:15:04"}),
			described(job{Id: "7", State: "COMPLETED", StartTime: "2026-11-23T21:15:04"})},
		"GetJobLog": {api.GetJobLogResponse{OutputLog: "Step 0\n"}, api.GetJobLogResponse{},
			api.GetJobLogResponse{}, api.GetJobLogResponse{OutputLog: "Step 1\n"}, api.GetJobLogResponse{}},
	})

	t.Run("sends the account's paths absolute and quotes a command's words", func(t *testing.T) {
		s.run("", []string{envPassword, "Secret-1"}, "job", "submit", "ehpc-hz-1", "--as", "lovelace", "--nodes", "2",
			"--dir", "runs", "--env", "A=b=c", "--input-url", "https://example.org/in.tar", "--unzip", "tar xf in.tar", "--post", "rm in.tar", "-o", "id", "--", "./job.sh", "it's").want(t, 0, "7\n", "")
		in := s.request("SubmitJob")
		for name, want := range map[string]string{
			"CommandLine": `./job.sh 'it'\''s'`, "PackagePath": "/home/lovelace/runs", "Node": "2",
			"InputFileUrl": "https://example.org/in.tar", "UnzipCmd": "tar xf in.tar", "PostCmdLine": "rm in.tar",
			"RunasUserPassword": "Secret-1", "Variables": `[{"Name":"A","Value":"b=c"}]`,
		} {
			if got := in.Get(name); got != want {
				t.Errorf("%s is %q, expected %q", name, got, want)
			}
		}
		if in.Has("Task") {
			t.Error("sent a number of tasks that was not given")
		}
	})
	t.Run("follows the job to its end", func(t *testing.T) {
		got := s.run("", []string{envPassword, "Secret-1"}, "job", "submit", "ehpc-hz-1", "--as", "lovelace", "-f", "--", "true")
		got.want(t, 0, "", "job 7  RUNNING on compute000,compute001")
		got.want(t, 0, "", "job 7  PENDING: waits for the scheduler to look at it")
		got.want(t, 0, "", "job 7  PENDING: waits for nodes of queue workq to become free (Resources)")
		got.want(t, 0, "", "job 7 completed")
		if got.out != "Step 0\nStep 1\n" {
			t.Errorf("beside what the job printed there is %q", got.out)
		}
	})
	t.Run("has no password without a terminal, the variable or the file", func(t *testing.T) {
		s.run("", nil, "job", "submit", "ehpc-hz-1", "--as", "lovelace", "--", "true").want(t, 2, "", "--password-file or EHPC_PASSWORD")
	})
	t.Run("reads the password from standard input", func(t *testing.T) {
		s.run("Secret-2\n", nil, "job", "submit", "ehpc-hz-1", "--as", "lovelace", "--password-file", "-", "--", "true").want(t, 0, "job 7", "")
		if got := s.request("SubmitJob").Get("RunasUserPassword"); got != "Secret-2" {
			t.Errorf("sent %q", got)
		}
	})
}

func TestJobFollow(t *testing.T) {
	t.Parallel()
	t.Run("fails when the job does", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"DescribeJob": {described(job{Id: "1", State: "OUT_OF_MEMORY"})}})
		s.run("", nil, "job", "follow", "ehpc-hz-1", "1").want(t, exitJob, "", "cannot complete job 1: it ended OUT_OF_MEMORY")
	})
	t.Run("names a job that is not there", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"DescribeJob": {refusal{api.ObjectNotFound, "JobId: cluster c has no job \"9\""}}})
		s.run("", nil, "job", "follow", "ehpc-hz-1", "9").want(t, exitRefused, "", "cannot find job 9")
	})
	t.Run("goes on when what the job prints cannot be read, and says so at the end", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{
			"DescribeJob": {described(job{Id: "1", State: "RUNNING", StartTime: "2026-11-23T21:15:04"}), described(job{Id: "1", State: "COMPLETED", StartTime: "2026-11-23T21:15:04"})},
			"GetJobLog":   {refusal{api.InvalidParams, "it is no plain file"}},
		})
		got := s.run("", nil, "job", "follow", "ehpc-hz-1", "1")
		got.want(t, 0, "", "cannot show what job 1 printed: it is no plain file")
		got.want(t, 0, "", "job 1 completed")
	})
	t.Run("prints no output of an array, whose tasks have files of their own, and no output for programs", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"DescribeJob": {described(job{Id: "1", State: "COMPLETED", StartTime: "2026-11-23T21:15:04", ArrayRequest: "1-3"})}})
		s.run("", nil, "job", "follow", "ehpc-hz-1", "1").want(t, 0, "", "job 1 completed")
		s = newService(t, map[string][]any{"DescribeJob": {described(job{Id: "1", State: "COMPLETED", StartTime: "2026-11-23T21:15:04"})}})
		if got := s.run("", nil, "job", "follow", "ehpc-hz-1", "1", "-o", "id"); got.out != "1\n" || got.status != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestJobShow(t *testing.T) {
	t.Parallel()
	whole := jobInFull{job: job{Id: "7", Name: "melt", State: "FAILED", Comment: "exit status 7", SubmitTime: "2026-11-23T21:15:00", StartTime: "2026-11-23T21:15:04",
		NodeList: `["compute000"]`, Resources: &api.ListJobsResources{Nodes: 1, Cores: 4}},
		Queue: "day", CommandLine: "./melt.sh", EndTime: "2026-11-23T22:16:09", ExitCode: 7, Restarts: 1}
	show := func(j jobInFull, args ...string) outcome {
		text, err := json.Marshal(map[string]jobInFull{j.Id: j})
		if err != nil {
			t.Fatal(err)
		}
		s := newService(t, map[string][]any{"DescribeJob": {api.DescribeJobResponse{Message: api.DescribeJobMessage{JobInfo: string(text)}}}})
		return s.run("", nil, append([]string{"job", "show", "ehpc-hz-1", j.Id}, args...)...)
	}
	fields := func(o outcome) map[string]string {
		all := map[string]string{}
		for line := range strings.Lines(o.out) {
			name, value, _ := strings.Cut(line, "  ")
			all[name] = strings.TrimSpace(value)
		}
		return all
	}
	t.Run("tells all that is asked for and how it went", func(t *testing.T) {
		t.Parallel()
		got := fields(show(whole))
		for name, want := range map[string]string{"queue": "day", "command": "./melt.sh", "nodes": "1", "cores": "4", "on": "compute000",
			"elapsed": "1h1m5s", "exit code": "7", "restarts": "1", "reason": "exit status 7"} {
			if got[name] != want {
				t.Errorf("%s is %q, want %q", name, got[name], want)
			}
		}
		if got["ended"] == "" {
			t.Error("it does not say when it ended")
		}
	})
	t.Run("tells why one waits, and no exit code of it", func(t *testing.T) {
		t.Parallel()
		got := fields(show(jobInFull{job: job{Id: "8", State: "PENDING", Comment: "waits for nodes of queue day to become free (Resources)"}}))
		if _, ended := got["exit code"]; ended || got["reason"] != "waits for nodes of queue day to become free (Resources)" || got["elapsed"] != "" {
			t.Errorf("%q", got)
		}
	})
	t.Run("gives programs all of it", func(t *testing.T) {
		t.Parallel()
		show(whole, "-o", "json").want(t, 0, `"CommandLine": "./melt.sh"`, "")
		show(whole, "-o", "id").want(t, 0, "7\n", "")
	})
}

func TestJobListShowsTheReason(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{"ListJobs": {jobs(
		job{Id: "1", State: "PENDING", Comment: "waits for nodes of queue workq to become free (Resources)"},
		job{Id: "2", State: "PENDING", Comment: strings.Repeat("long ", 40)})}})
	got := s.run("", nil, "job", "list", "ehpc-hz-1")
	got.want(t, 0, "  waits for nodes of queue workq to become free (Resources)\n", "")
	got.want(t, 0, "long l…\n", "")
}

func TestExec(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{
		"ListNodes":          {nodes("manager running", "login0 running")},
		"InvokeShellCommand": {api.InvokeShellCommandResponse{CommandId: "c-1"}},
		"ListInvocationResults": {results(
			result{InstanceId: "i-1", InvokeRecordStatus: "Finished", Message: "a\nb\n"},
			result{InstanceId: "i-2", InvokeRecordStatus: "Finished", ExitCode: 3, Message: "c"},
		)},
	})
	t.Run("names the nodes in the output of several and ends with the highest status", func(t *testing.T) {
		s.run("", nil, "exec", "ehpc-hz-1", "--all", "--", "x; y").want(t, 3, "manager: a\nmanager: b\nlogin0: c\n", "")
		if got := s.request("InvokeShellCommand").Get("Command"); got != "x; y" {
			t.Errorf("a single argument is a shell line, sent %q", got)
		}
	})
	t.Run("names a node that is not there", func(t *testing.T) {
		s.run("", nil, "exec", "ehpc-hz-1", "--node", "compute7", "--", "x").want(t, exitRefused, "", "cannot find node compute7")
	})
}

func TestFilePut(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{"CreateJobFile": {api.CreateJobFileResponse{}}})
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	put := func(local string) outcome {
		return s.run("from stdin", []string{envPassword, "Secret-1"}, "file", "put", "ehpc-hz-1", local, "in.melt", "--as", "lovelace")
	}

	t.Run("writes below the account's home", func(t *testing.T) {
		put(write("in", "units lj\n")).want(t, 0, "/home/lovelace/in.melt put on cluster ehpc-hz-1 (9 bytes)", "")
		if got := s.request("CreateJobFile").Get("Content"); got != "units lj\n" {
			t.Errorf("sent %q", got)
		}
	})
	t.Run("takes standard input", func(t *testing.T) { put("-").want(t, 0, "(10 bytes)", "") })
	t.Run("refuses what is not text", func(t *testing.T) { put(write("bin", "\xff\xfe")).want(t, 1, "", "it is not text") })
	t.Run("takes an empty file", func(t *testing.T) { put(write("empty", "")).want(t, 0, "(0 bytes)", "") })
	t.Run("names a file that is not there", func(t *testing.T) { put(dir+"/nope").want(t, 1, "", "no such file") })
}
