package action

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ehpc/api"
)

// runBatch runs a job's script in dir as a scheduler would.
func runBatch(t *testing.T, dir, text string) (printed string, status int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "batch")
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/bin/bash", file) // executed itself, it could be busy: other tests start processes meanwhile
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), cmd.ProcessState.ExitCode()
}

func TestStepsAroundAJob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                string
		unpack, line, after string
		out                 string
		status              int
	}{
		{"a job alone", "", "echo job; exit 3", "", "job", 3},
		{"unpacking comes first", "echo unpacked > data", "cat data", "", "unpacked", 0},
		{"a job does not run when its input cannot be unpacked", "echo no; exit 9", "echo job", "echo after", "no", 9},
		{"what follows comes last", "", "echo job", "echo 'it'\"'\"'s' after", "job\nit's after", 0},
		{"what follows comes after a failed job too", "", "echo job; exit 4", "echo after", "job\nafter", 4},
		{"a failure of what follows is the job's", "", "echo job", "exit 5", "job", 5},
		{"a failure of the job counts first", "", "exit 4", "exit 5", "", 4},
		{"all three, in lines as forms send them", "echo 1\r\necho 2\r\n", "echo 3\r\necho 4", "echo 5\r\necho 6", "1\n2\n3\n4\n5\n6", 0},
		{"a script for another program", "", "#!/usr/bin/env -S sed s/a/b/\na '\"$x\" `y` \\ EOF", "true", "", 1},
		{"a script that another shell runs", "true", "#!/bin/sh\necho \"$0\" | sed s/.*script/script/\nexit 2", "", "script", 2},
		{"a command that ends the shell", "", "exec echo gone", "echo after", "gone\nafter", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text := batchScript(&api.SubmitJobRequest{CommandLine: c.line, UnzipCmd: c.unpack, PostCmdLine: c.after})
			out, status := runBatch(t, t.TempDir(), text)
			if c.name == "a script for another program" { // sed reads its own file: what it is given must be the script as it was sent
				if !strings.Contains(text, "#!/usr/bin/env -S sed s/a/b/\na '\"$x\" `y` \\ EOF\n") {
					t.Errorf("the script became\n%s", text)
				}
				return
			}
			if out != c.out || status != c.status {
				t.Errorf("printed %q and ended with %d, want %q and %d", out, status, c.out, c.status)
			}
		})
	}
}

func TestAnArrayUnpacksOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := batchScript(&api.SubmitJobRequest{CommandLine: "cat input | wc -l", ArrayRequest: "1-8",
		UnzipCmd: "[ -e fail ] && rm fail && exit 6; sleep 0.2; echo line >> input"})
	if err := os.WriteFile(filepath.Join(dir, "fail"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	ends := map[string]int{}
	var tasks sync.WaitGroup
	for range 8 {
		tasks.Go(func() {
			out, status := runBatch(t, dir, text)
			mu.Lock()
			defer mu.Unlock()
			if status != 0 {
				out = "failed"
			}
			ends[out]++
		})
	}
	tasks.Wait()
	if ends["1"] != 7 || ends["failed"] != 1 {
		t.Errorf("tasks ended with %v, want one failure to unpack and seven that read what was unpacked once", ends)
	}
}

func TestAJobLeavesNoScriptBehind(t *testing.T) {
	t.Parallel()
	text := batchScript(&api.SubmitJobRequest{CommandLine: `#!/bin/bash
dirname "$0"`, PostCmdLine: "true"})
	out, _ := runBatch(t, t.TempDir(), text)
	if _, err := os.Stat(out); !strings.HasPrefix(out, "/tmp/ehpc-job.") || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory %q: %v", out, err)
	}
}
