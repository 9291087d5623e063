package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	root := newRoot(&cli{env: func(string) string { return "" }, every: time.Millisecond})
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		path := strings.Fields(cmd.CommandPath())[1:]
		t.Run(strings.Join(append(path, "--help"), " "), func(t *testing.T) {
			got := runWith(t, nil, "", append(path, "--help")...)
			got.want(t, 0, "Usage:\n  ehpc", "")
			for line := range strings.Lines(got.out) {
				if utf8.RuneCountInString(line) > helpWidth+1 {
					t.Errorf("a line is wider than %d columns: %s", helpWidth, line)
				}
			}
			if cmd.HasParent() && (cmd.Short == "" || strings.HasSuffix(cmd.Short, ".")) {
				t.Errorf("its description is %q", cmd.Short)
			}
		})
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	t.Run("flags stand before the command that is to be run", func(t *testing.T) {
		runWith(t, nil, "", "exec", "--help").want(t, 0, "ehpc exec CLUSTER [flags] -- COMMAND [ARG...]\n", "")
	})
}

func TestVersion(t *testing.T) {
	t.Parallel()
	runWith(t, nil, "", "version").want(t, 0, "ehpc "+release+" (build ", "")
	runWith(t, nil, "", "--version").want(t, 0, "ehpc "+release+" (build ", "")
	runWith(t, nil, "", "version", "-o", "json").want(t, 0, `"Api": "2018-04-12"`, "")
	runWith(t, nil, "", "version", "-o", "xml").want(t, 2, "", "unknown output")
}
