package agent

import (
	"os"
	"path/filepath"
	"testing"

	"ehpc/internal/scheduler"
)

// A service may end at the very moment at which its ends are counted anew: s6 and
// its tool then take each other's file away.
func TestAServiceThatEndsWhileItsEndsAreCountedAnewIsWaitedFor(t *testing.T) {
	tools, dir := t.TempDir(), t.TempDir()
	d := Daemon{Service: scheduler.Service{Name: "munged"}}
	for path, text := range map[string]string{
		filepath.Join(tools, "s6-svstat"):      "#!/bin/sh\necho true true\n",
		filepath.Join(tools, "s6-svdt-clear"):  "#!/bin/sh\n[ -e " + tools + "/tried ] || { touch " + tools + "/tried; echo No such file or directory; exit 111; }\n",
		filepath.Join(dir, d.Name, begunMark):  string(runScript(d)),
		filepath.Join(dir, d.Name, "ehpc"):     "",
		filepath.Join(dir, d.Name, "log", "x"): "",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	if _, err := (S6{Root: t.TempDir(), Dir: dir, Logs: t.TempDir()}).Ensure(t.Context(), []Daemon{d}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(tools, "tried")); err != nil {
		t.Error("the count was not cleared")
	}
}
