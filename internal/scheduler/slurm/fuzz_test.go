package slurm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// directives are the lines that sbatch would obey. It reads a script up to the
// first line that is neither empty nor a comment.
func directives(script string) (found []string) {
	for _, line := range strings.Split(script, "\n") {
		if strings.HasPrefix(line, "#SBATCH") {
			found = append(found, line)
		}
		if text := strings.TrimLeft(line, " \t\v\f\r"); text != "" && text[0] != '#' {
			break
		}
	}
	return found
}

func FuzzWithoutDirectives(f *testing.F) {
	for _, script := range []string{
		"#!/bin/sh\n#SBATCH --output=/etc/shadow\ntrue\n", "#!/bin/sh\n\v\n#SBATCH -x\n", "#SBATCH", "\n\n#SBATCH a\r\n#SBATCH b",
		"#!/bin/sh\ntrue\n#SBATCH late\n", "cat <<E\n#SBATCH in a text\nE\n", "#!/bin/sh\n\u00a0\n#SBATCH x\n", "#SBATCH#SBATCH",
	} {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script string) {
		got := withoutDirectives(script)
		if left := directives(got); left != nil {
			t.Errorf("%q keeps %q", script, left)
		}
		if strings.ReplaceAll(got, "# SBATCH", "#SBATCH") != strings.ReplaceAll(script, "# SBATCH", "#SBATCH") {
			t.Errorf("%q became %q", script, got)
		}
		if withoutDirectives(got) != got {
			t.Errorf("%q is changed twice", script)
		}
	})
}

func FuzzParseBoot(f *testing.F) {
	f.Add([]byte("Configuration data\nBOOT_TIME               = 2026-11-23T21:14:36\n"))
	f.Add([]byte("BOOT_TIME="))
	f.Fuzz(func(t *testing.T, out []byte) {
		if boot, err := parseBoot(out); err == nil && boot.IsZero() {
			t.Errorf("a controller that never started was read from %q", out)
		}
	})
}

// FuzzReadEndings: whatever the log holds, it is read to the end of its last
// whole line and from there on nothing is told again.
func FuzzReadEndings(f *testing.F) {
	text, err := os.ReadFile("testdata/jobcomp.log")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, int64(0))
	f.Add(text, int64(100))
	f.Add([]byte(strings.Repeat("x", 64*recordLimit+5)+"\n"), int64(0))
	f.Add([]byte(cutRecord(1)+string(text)), int64(0))
	f.Add([]byte("half a line"), int64(1<<40))
	f.Fuzz(func(t *testing.T, text []byte, offset int64) {
		if offset < 0 {
			return // a cursor is none
		}
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		next, err := readEndings(path, offset, func(ending) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(text)) >= offset && next < offset || next > int64(len(text)) {
			t.Fatalf("read from %d to %d of %d", offset, next, len(text))
		}
		again, err := readEndings(path, next, func(e ending) bool { t.Errorf("%s was told twice", e.jobID); return false })
		if err != nil || again != next {
			t.Errorf("read on to %d, %v", again, err)
		}
	})
}

func FuzzParseCursor(f *testing.F) {
	for _, text := range []string{"", "0", "17", "-1", "9223372036854775808"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := parseCursor(text); err == nil && n < 0 {
			t.Errorf("%q is %d", text, n)
		}
	})
}
