package agent

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ehpc/internal/link"
)

func TestJobPaths(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, text := range map[string]string{
		"home/ann/dos.sh": "#!/bin/sh\r\ntrue\r\n", "home/ann/unix.sh": "#!/bin/sh\ntrue\n", "home/ann/runs/.keep": "", "opt/tool/dos.sh": "true\r\n",
		"tmp/here/.keep": "", "tmp/dos.sh": "true\r\n"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"home/ann/away": "/tmp/of-each-node", "home/ann/out": "../../tmp/nothing", "home/ann/link": "runs", "home/ann/broken": "gone"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	look := func(t *testing.T, p link.JobPaths) (f link.JobFaults) {
		question, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var answer bytes.Buffer
		if err := LookAtJobPaths(root, bytes.NewReader(question), &answer); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(answer.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	t.Run("a directory is missing that is not on the volume", func(t *testing.T) {
		t.Parallel()
		for dir, missing := range map[string]bool{"/home/ann/runs": false, "/home/ann/link": false, "/home/ann/none": true, "/home/ann/runs/none/deep": true,
			"/home/ann/unix.sh": true, "/home/ann/unix.sh/deep": true, "/home/ann/broken": true, "/opt/none": true, "/home/nobody-has-this": true} {
			for _, p := range []link.JobPaths{{Dir: dir}, {Outputs: []string{dir}}} {
				if f := look(t, p); slices.Contains(f.Missing, dir) != missing || len(f.Closed) > 0 {
					t.Errorf("%+v: %+v", p, f)
				}
			}
		}
	})
	t.Run("nothing is said of what each node has of its own", func(t *testing.T) {
		t.Parallel()
		for _, dir := range []string{"/tmp/none", "/home/ann/away", "/home/ann/out/none", "/home", "/scratch/x", "/"} {
			if f := look(t, link.JobPaths{Dir: dir, Outputs: []string{dir}}); len(f.Missing)+len(f.Closed) > 0 {
				t.Errorf("%s: %+v", dir, f)
			}
		}
	})
	t.Run("a script with DOS line ends is found", func(t *testing.T) {
		t.Parallel()
		for script, want := range map[string]bool{"/home/ann/dos.sh": true, "/home/ann/unix.sh": false, "/opt/tool/dos.sh": true,
			"/tmp/dos.sh": false, "/home/ann/none.sh": false, "/home/ann/runs": false, "": false} {
			if f := look(t, link.JobPaths{Script: script}); f.DOSScript != want {
				t.Errorf("%s: %t", script, f.DOSScript)
			}
		}
	})
	t.Run("a question that is none is refused", func(t *testing.T) {
		t.Parallel()
		if err := LookAtJobPaths(root, strings.NewReader("x"), &bytes.Buffer{}); err == nil {
			t.Error("answered")
		}
	})
}
