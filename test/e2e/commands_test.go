package e2e

import (
	"strings"
	"testing"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

func testCommands(t *testing.T, c *rig.Cluster) {
	for name, test := range map[string]struct {
		command string
		want    rig.Result
	}{
		"success":                {"echo fine", rig.Result{Status: "Finished", Output: "fine\n"}},
		"its exit status":        {"echo out; echo err >&2; exit 42", rig.Result{Status: "Finished", ExitCode: 42, Output: "out\nerr\n"}},
		"a signal":               {"kill -TERM $$", rig.Result{Status: "Finished", ExitCode: 143}},
		"no such command":        {"/no/such 2>/dev/null", rig.Result{Status: "Finished", ExitCode: 127}},
		"several lines":          {"for i in 1 2\ndo echo $i\ndone", rig.Result{Status: "Finished", Output: "1\n2\n"}},
		"the user":               {"id -un; echo $HOME", rig.Result{Status: "Finished", Output: "root\n/root\n"}},
		"bytes that are no text": {`printf 'a\377b'`, rig.Result{Status: "Finished", Output: "a?b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.Try(t, "login0", test.command); got != test.want {
				t.Errorf("it came to %+v, want %+v", got, test.want)
			}
		})
	}
	t.Run("the working directory", func(t *testing.T) {
		id := c.Invoke(t, &api.InvokeShellCommandRequest{Command: "pwd", WorkingDir: "/usr/lib"})
		results := c.Results(t, id)
		if len(results) < 3 {
			t.Errorf("a command for all nodes ran on %v", results)
		}
		for host, r := range results {
			if r.Output != "/usr/lib\n" {
				t.Errorf("%s: %+v", host, r)
			}
		}
	})
	t.Run("a working directory that is not there", func(t *testing.T) {
		id := c.Invoke(t, &api.InvokeShellCommandRequest{Command: "pwd", WorkingDir: "/no/such"})
		for host, r := range c.Results(t, id) {
			if r.Status != "Failed" || !strings.Contains(r.Output, "/no/such") {
				t.Errorf("%s: %+v", host, r)
			}
		}
	})
	t.Run("output without end is cut with a mark", func(t *testing.T) {
		got := c.Try(t, "login0", "yes | head -c 1000000")
		if got.ExitCode != 0 || len(got.Output) > 64<<10 || len(got.Output) < 60<<10 || !strings.HasSuffix(got.Output, "cut here]\n") {
			t.Errorf("it came to %d bytes that end with %q", len(got.Output), got.Output[max(0, len(got.Output)-60):])
		}
	})
}
