// Package scripts tests what the Makefile and CI call before there is a Go to
// build with.
package scripts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeGo makes a go that says it is of that version, and returns its path.
func fakeGo(t *testing.T, version string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "go")
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = version ] && echo go version %s linux/amd64\n", version)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// inPath runs a program of the tree with no more in PATH than that directory and
// the system's programs. There is no home: Go would still write to it when it has ended.
func inPath(t *testing.T, dir string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = "../.."
	cmd.Env = []string{"PATH=" + strings.Trim(dir+":/usr/bin:/bin", ":"), "HOME=/dev/null"}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func TestFindGo(t *testing.T) {
	t.Parallel()
	const needs = "ehpc is built with Go 1.26"
	for name, c := range map[string]struct {
		version string
		good    bool
	}{
		"Debian's own is too old":        {"go1.19.8", false},
		"the one before is too old":      {"go1.25.9", false},
		"the one that is needed is good": {"go1.26.0", true},
		"a later one is good":            {"go1.100.1", true},
		"what is no Go is none":          {"nonsense", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fakeGo(t, c.version)
			out, errs, err := inPath(t, "", "scripts/find-go.sh", path)
			if c.good != (err == nil) || c.good && out != path+"\n" {
				t.Fatalf("%v: %s%s", err, out, errs)
			}
			if c.good {
				return
			}
			for _, part := range []string{needs, path, "https://go.dev/dl", "make GO="} {
				if !strings.Contains(errs, part) || strings.Count(errs, "\n") != 1 {
					t.Errorf("%q lacks %q, or is no line", errs, part)
				}
			}
		})
	}
	t.Run("an old one in PATH does not hide the one in /usr/local", func(t *testing.T) {
		t.Parallel()
		const usual = "/usr/local/go/bin/go"
		if _, err := os.Stat(usual); err != nil {
			t.Skipf("%v", err)
		}
		for _, dir := range []string{filepath.Dir(fakeGo(t, "go1.19.8")), ""} {
			if out, errs, err := inPath(t, dir, "scripts/find-go.sh"); out != usual+"\n" {
				t.Errorf("with %q in PATH: %v: %s%s", dir, err, out, errs)
			}
		}
	})
}

func TestMake(t *testing.T) {
	t.Parallel()
	t.Run("says which Go it needs before it does anything", func(t *testing.T) {
		t.Parallel()
		for _, target := range []string{"build", "run", "demo", "test", "check", "generate"} {
			_, errs, err := inPath(t, "", "make", target, "GO="+fakeGo(t, "go1.19.8"))
			if err == nil || !strings.HasPrefix(errs, "ehpc is built with Go 1.26") {
				t.Errorf("make %s: %v: %s", target, err, errs)
			}
		}
	})
	t.Run("hands addresses to the service that it runs", func(t *testing.T) {
		t.Parallel()
		go1 := fakeGo(t, "go1.26.0")
		out, errs, err := inPath(t, "", "make", "-n", "run", "GO="+go1, "SSH=127.0.0.1:1", "LISTEN=127.0.0.1:2")
		if want := "bin/ehpc dev --data data --listen 127.0.0.1:2 --ssh 127.0.0.1:1\n"; err != nil || !strings.HasSuffix(out, want) {
			t.Errorf("%v: %s%s", err, out, errs)
		}
	})
}
