package main

import (
	"os"
	"path/filepath"
	"testing"

	"ehpc/api"
)

func TestJobSubmit(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{
		"SubmitJob": {api.SubmitJobResponse{JobId: "7"}},
		"ListJobs":  {jobs(job{Id: "7", State: "PENDING", NodeList: "[]"}), jobs(job{Id: "7", State: "RUNNING", NodeList: `["compute000","compute001"]`}), jobs(job{Id: "7", State: "COMPLETED"})},
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
		s.run("", []string{envPassword, "Secret-1"}, "job", "submit", "ehpc-hz-1", "--as", "lovelace", "-f", "--", "true").
			want(t, 0, "job 7 completed", "job 7  RUNNING on compute000,compute001")
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
		s := newService(t, map[string][]any{"ListJobs": {jobs(job{Id: "1", State: "OUT_OF_MEMORY"})}})
		s.run("", nil, "job", "follow", "ehpc-hz-1", "1").want(t, exitJob, "", "cannot complete job 1: it ended OUT_OF_MEMORY")
	})
	t.Run("names a job that is not there", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{"ListJobs": {jobs()}})
		s.run("", nil, "job", "follow", "ehpc-hz-1", "9").want(t, exitRefused, "", "cannot find job 9")
	})
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
	t.Run("refuses an empty file", func(t *testing.T) { put(write("empty", "")).want(t, 1, "", "it is empty") })
	t.Run("names a file that is not there", func(t *testing.T) { put(dir+"/nope").want(t, 1, "", "no such file") })
}
