package action

import (
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "500": 500, "500MB": 500, "4GB": 4096, "4g": 4096, "1T": 1 << 20, "2048K": 2, "1 GiB": 1024, "1.5GB": 1536, "0.5": 1, "1K": 1} {
		if got, err := memoryMB(text); err != nil || got != want {
			t.Errorf("%q is %d MB (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"much", "-1", "0", "4XB", "99999999T", "1e9"} {
		if got, err := memoryMB(text); err == nil {
			t.Errorf("%q was taken for %d MB", text, got)
		}
	}
}

func TestWalltime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": 0, "1:02:03": time.Hour + 2*time.Minute + 3*time.Second,
		"100:00:00": 100 * time.Hour, "0:30": 30 * time.Minute, "90": 90 * time.Second} {
		if got, err := walltime(text); err != nil || got != want {
			t.Errorf("%q is %s (%v), want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"soon", "1:99:00", "-1:00:00", "0:00:00", "1:2:3:4", "::"} {
		if got, err := walltime(text); err == nil {
			t.Errorf("%q was taken for %s", text, got)
		}
	}
}

func TestPathsStartFromTheHome(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "/home/worker", "./a": "/home/worker/a", "~/a/b": "/home/worker/a/b",
		"a": "/home/worker/a", "~": "/home/worker", "/home/worker/x": "/home/worker/x", "/opt/app": "/opt/app"} {
		if got := inHome("/home/worker", in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	for _, p := range []string{"/etc/passwd", "../x", "/home/worker/../other/x", "/home/workerx/y", "a\nb", "~/../x"} {
		if got, err := outputPath("/home/worker", "StdoutRedirectPath", p, false); err == nil {
			t.Errorf("output to %q was allowed, as %q", p, got)
		}
	}
	for array, want := range map[bool]string{false: "/home/worker/out/slurm-%j.out", true: "/home/worker/out/slurm-%A_%a.out"} {
		if got, err := outputPath("/home/worker", "StdoutRedirectPath", "out/", array); err != nil || got != want {
			t.Errorf("output to a directory goes to %q, %v, want %q", got, err, want)
		}
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	text := `[{"Name":"A","Value":"it's \"quoted\"\nand more äß"},{"Name":"_b","Value":""}]`
	got, err := variables(text)
	if err != nil || len(got) != 2 || got[0].Value != "it's \"quoted\"\nand more äß" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := variables("[{Name:,Value:},{Name:A,Value:b c},{Name:,Value:}]"); err != nil || len(got) != 1 || got[0] != (hpc.EnvVar{Name: "A", Value: "b c"}) {
		t.Errorf("the document's form: got %v, %v", got, err)
	}
	for _, text := range []string{"{}", "[1]", `[{"Name":"1a","Value":""}]`, `[{"Name":"","Value":"x"}]`, `[{Name:,Value:x}]`, `[{"Name":"A=B","Value":""}]`, "[{\"Name\":\"A\",\"Value\":\"\\u0000\"}]"} {
		if got, err := variables(text); err == nil {
			t.Errorf("%s was taken for %v", text, got)
		}
	}
}

func FuzzJobSpec(f *testing.F) {
	f.Add("./run.sh", "name", "dir", "out", "4GB", "1:00:00", `[{"Name":"A","Value":"b"}]`, "1-10:2")
	f.Add("", "a|b", "../..", "/etc/x", "9T", "9:9:9", "[", "0-0")
	account := &store.Account{Name: "worker", UID: hpc.FirstUID}
	f.Fuzz(func(t *testing.T, command, name, dir, out, mem, clock, vars, array string) {
		q := &api.SubmitJobRequest{CommandLine: command, Name: name, PackagePath: dir, StdoutRedirectPath: out,
			Mem: mem, ClockTime: clock, Variables: vars, ArrayRequest: array}
		spec, err := jobSpec(q, account, nil)
		if err == nil && (spec.Token == "" || spec.Dir == "" || spec.MemoryMB < 0 || spec.Walltime < 0) {
			t.Errorf("%+v", spec)
		}
	})
}

func TestEverythingUnbuiltIsNamed(t *testing.T) {
	t.Parallel()
	err := refuseUnbuiltJob(&api.SubmitJobRequest{ContainerId: "c", JobRetry: api.SubmitJobRequestJobRetry{Count: new(int)}})
	if err == nil || !strings.Contains(err.Error(), "ContainerId, JobRetry: not available") {
		t.Errorf("error %v", err)
	}
}
