package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
)

// completed are the words that a shell is offered for the last argument.
func (s *service) completed(args ...string) []string {
	s.t.Helper()
	got := s.run("", nil, append([]string{"__complete"}, args...)...)
	if got.status != 0 {
		s.t.Fatalf("status %d: %s", got.status, got.err)
	}
	var words []string
	for line := range strings.Lines(got.out) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if !strings.HasPrefix(word, ":") { // what the shell is told besides
			words = append(words, word)
		}
	}
	return words
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	twoUsers := api.ListUsersResponse{}
	twoUsers.Users.UserInfo = []api.ListUsersUserInfo{{Name: "lovelace", Group: "users"}, {Name: "babbage", Group: "wheel"}}
	s := newService(t, map[string][]any{
		"ListClusters": {clusters("lab", "other")},
		"ListJobs":     {jobs(job{Id: "7", Name: "melt", State: "RUNNING"}, job{Id: "8", Name: "cool", State: "PENDING"})},
		"ListNodes":    {nodes("manager running", "login0 running", "compute000 running")},
		"ListUsers":    {twoUsers},
	})
	for name, c := range map[string]struct {
		args string // the last word is what is being typed, "" when it ends in a blank
		want string
	}{
		"commands":                         {"cluster ", "create delete list logs scale show"},
		"clusters by name":                 {"cluster show ", "lab other"},
		"of what was typed":                {"cluster show o", "other"},
		"jobs of the cluster":              {"job show lab ", "7 8"},
		"another job, where they are many": {"job stop lab 7 ", "8"},
		"no job where one is all":          {"job show lab 7 ", ""},
		"nodes":                            {"node delete lab co", "compute000"},
		"accounts":                         {"user passwd lab l", "lovelace"},
		"an account's groups":              {"user group lab babbage ", "users wheel"},
		"the account that a job runs as":   {"job submit lab --as b", "babbage"},
		"outputs":                          {"cluster list -o j", "json"},
		"shells":                           {"completion ", "bash fish zsh"},
		"actions":                          {"call SubmitJ", "SubmitJob"},
		"values of the catalogue":          {"call AddUsers --User.1.Group ", "users wheel"},
		"values of a boolean":              {"call SubmitJob --ReRunable ", "false true"},
		"clusters by id":                   {"call ListJobs --ClusterId ", "ehpc-hz-1 ehpc-hz-2"},
		"parameters":                       {"call DeleteCluster --ClusterId x --Rel", "--ReleaseInstance"},
		"nothing for an unknown action":    {"call Foo ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := s.completed(strings.Split(c.args, " ")...)
			slices.Sort(got)
			if strings.Join(got, " ") != c.want {
				t.Errorf("%q is completed by %q, expected %q", c.args, got, c.want)
			}
		})
	}
	t.Run("a list's next entry after one that is given", func(t *testing.T) {
		t.Parallel()
		if got := s.completed("call", "AddUsers", "--User.1.Name", "x", "--User"); !slices.Contains(got, "--User.2.Name") || slices.Contains(got, "--User.1.Name") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("what terminals obey is not printed", func(t *testing.T) {
		t.Parallel()
		s := newService(t, map[string][]any{
			"ListClusters": {clusters("lab", "x\x1b]0;y", "a\nb")},
			"ListJobs":     {jobs(job{Id: "7", Name: "\u009b2J\x1b[2J\nrm", State: "RUNNING"})},
		})
		for _, args := range [][]string{{"cluster", "show", ""}, {"job", "show", "lab", ""}} {
			got := s.run("", nil, append([]string{"__complete"}, args...)...)
			if strings.ContainsAny(got.out, "\x1b\u009b") || strings.Contains(got.out, "\nrm") || strings.Contains(got.out, "\nb") {
				t.Errorf("%q is completed by %q", args, got.out)
			}
		}
		if got := s.completed("job", "show", "lab", ""); !slices.Equal(got, []string{"7"}) {
			t.Errorf("got %q", got)
		}
	})
	t.Run("every command that names a cluster completes it", func(t *testing.T) {
		t.Parallel()
		if got := s.completed("exec", ""); !slices.Equal(got, []string{"lab", "other"}) {
			t.Errorf("got %q", got)
		}
	})
	t.Run("each shell gets a script", func(t *testing.T) {
		t.Parallel()
		for _, shell := range []string{"bash", "zsh", "fish"} {
			runWith(t, nil, "", "completion", shell).want(t, 0, "__complete", "")
		}
		runWith(t, nil, "", "completion", "tcsh").want(t, 2, "", `unknown shell "tcsh"`)
	})
}

func TestAShellDoesNotWaitForAServiceThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	stuck := newService(t, map[string][]any{"ListClusters": {clusters("lab")}})
	stuck.mu.Lock() // no answer until the test is over
	defer stuck.mu.Unlock()
	begun := time.Now()
	if got := stuck.completed("cluster", "show", ""); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := runWith(t, nil, "", "__complete", "cluster", "show", ""); got.status != 0 || strings.Contains(got.out, "cannot") {
		t.Errorf("without a service it said %q %q", got.out, got.err)
	}
}
