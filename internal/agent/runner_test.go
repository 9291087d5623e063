package agent

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	o := &output{limit: 100, copy: io.Discard}
	for range 50 {
		if n, err := o.Write([]byte("0123456\xff")); n != 8 || err != nil {
			t.Fatalf("wrote %d, %v", n, err)
		}
	}
	text := o.String()
	if !o.truncated() || len(text) != 100 || !strings.HasSuffix(text, cutMark) || !strings.HasPrefix(text, "0123456?0") {
		t.Errorf("got %q", text)
	}
	short := &output{limit: 8, copy: io.Discard}
	short.Write([]byte("01234567"))
	if short.truncated() || short.String() != "01234567" {
		t.Errorf("got %q, truncated %v", short.String(), short.truncated())
	}
}

func TestRunScriptsQuoteWhatTheyHold(t *testing.T) {
	t.Parallel()
	d := Daemon{Service: scheduler.Service{
		Name: "x", Argv: []string{"/bin/printf", "%s|", "it's", "$HOME `id`", "", "a  b"},
		Env: []string{"A=it's $HOME"}, Before: []string{"/bin/sh", "-c", "echo $A"},
	}}
	out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", string(runScript(d))).CombinedOutput()
	if want := "it's $HOME\nit's|$HOME `id`||a  b|"; err != nil || string(out) != want {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestCommandsThatEndThemselves(t *testing.T) {
	t.Parallel()
	f := root(t, map[string]string{"etc/passwd": "root:x:0:0:root:/:/bin/bash\n"})
	t.Run("an exit status is finished", func(t *testing.T) {
		t.Parallel()
		r := execute(t.Context(), f, hpc.Command{Content: "echo out; exit 7"}, "", io.Discard)
		if r.Status != hpc.CommandFinished || r.ExitCode != 7 || r.Output != "out\n" {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("what it prints can be seen while it runs", func(t *testing.T) {
		t.Parallel()
		r, w := io.Pipe()
		done := make(chan hpc.CommandResult)
		go func() { done <- execute(t.Context(), f, hpc.Command{Content: "echo first; echo last"}, "", w) }()
		first := make([]byte, 6)
		if _, err := io.ReadFull(r, first); err != nil || string(first) != "first\n" {
			t.Errorf("got %q, %v", first, err)
		}
		go io.Copy(io.Discard, r)
		if got := <-done; got.Output != "first\nlast\n" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a command finds its files, and only while it runs", func(t *testing.T) {
		t.Parallel()
		dir, err := putFiles(filepath.Join(t.TempDir(), "files"), []hpc.CommandFile{{Name: "1", Content: []byte("#!/bin/sh\necho script $1\n")}})
		if err != nil {
			t.Fatal(err)
		}
		if r := execute(t.Context(), f, hpc.Command{Content: `"$EHPC_FILES/1" arg`}, dir, io.Discard); r.Output != "script arg\n" {
			t.Errorf("got %+v", r)
		}
		if _, err := putFiles(filepath.Join(t.TempDir(), "files"), []hpc.CommandFile{{Name: "../1"}}); err == nil {
			t.Error("a file outside the directory was written")
		}
	})
	t.Run("a runner that is told to stop stops its command", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if r := execute(ctx, f, hpc.Command{Content: "sleep 100 | sleep 100"}, "", io.Discard); r.Status != hpc.CommandStopped || r.ExitCode != 137 {
			t.Errorf("got %+v", r)
		}
	})
}
