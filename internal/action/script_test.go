package action

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestACommandLineIsRunAsItIsMeant(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, file := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"job.sh":        {"#!/bin/sh\necho \"ran $0 with $*\"", 0o755},
		"plain.sh":      {"echo \"read with $*\"; exit 3", 0o644},
		"sub/job.other": {"#!/bin/sh\necho other", 0o755},
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(file.text), file.mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, line, out string
		status          int
	}{
		{"a command", "echo a b", "a b", 0},
		{"a command with what a shell means", `echo "it's" $((1+1)) | tr a-z A-Z`, "IT'S 2", 0},
		{"lines of commands", "x=1\nif [ $x = 1 ]; then\necho one\nfi\nexit 7", "one", 7},
		{"lines as forms send them", "echo a\r\necho b\r\n", "a\nb", 0},
		{"a line that a form ended in part", "echo a\r", "a", 0},
		{"a whole script as forms send it", "#!/bin/sh\r\necho whole\r\n", "whole", 0},
		{"a whole script", "#!/bin/sh\necho whole", "whole", 0},
		{"a script by its path", "./job.sh 'a b'", "ran ./job.sh with a b", 0},
		{"a script by its name", "job.sh a | cat", "ran ./job.sh with a", 0},
		{"a script by its whole path", dir + "/job.sh", "ran " + dir + "/job.sh with", 0},
		{"a script in a directory below", "sub/job.other", "other", 0},
		{"a script that cannot be executed", "plain.sh x", "read with x", 3},
		{"a path to a script that cannot be executed", "./plain.sh y # why", "read with y", 3},
		{"a script that is not there", "./none.sh", "", 127},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := script(c.line)
			interpreter, _, _ := strings.Cut(strings.TrimPrefix(text, "#!"), "\n")
			cmd := exec.CommandContext(t.Context(), interpreter, "-s")
			cmd.Dir, cmd.Stdin = dir, strings.NewReader(text)
			out, _ := cmd.Output()
			if got := strings.TrimSpace(string(out)); got != c.out || cmd.ProcessState.ExitCode() != c.status {
				t.Errorf("printed %q and ended with %d", got, cmd.ProcessState.ExitCode())
			}
		})
	}
}
