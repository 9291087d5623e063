package fence

import (
	"errors"
	"strings"
	"testing"
)

func TestFirstLines(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"#!/bin/sh\ntrue":                "#!/agent run-job slurm /bin/sh\ntrue",
		"#! /usr/bin/env  python3 \r\nx": "#!/agent run-job slurm /usr/bin/env  python3\nx",
		"true\n":                         "",
		"#!\n":                           "",
		"#!/" + strings.Repeat("x", 300): "",
	} {
		got, err := Wrap("/agent", "slurm", script)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.40q becomes %q, %v", script, got, err)
		}
	}
	for _, argument := range []string{"", "run-job", "run-job slurm ", "run slurm /bin/sh"} {
		if w, err := unwrap(argument); err == nil {
			t.Errorf("%q is %+v", argument, w)
		}
	}
	w, err := unwrap("run-job slurm /usr/bin/env  python3")
	if err != nil || w.engine != "slurm" || strings.Join(w.argv, "|") != "/usr/bin/env|python3" {
		t.Errorf("got %+v, %v", w, err)
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("#!/bin/sh\ntrue\n")
	f.Fuzz(func(t *testing.T, script string) {
		text, err := Wrap("/agent", "slurm", script)
		if err != nil {
			return
		}
		first, rest, _ := strings.Cut(text, "\n")
		if _, want, _ := strings.Cut(script, "\n"); rest != want {
			t.Errorf("%q became %q", script, text)
		}
		w, err := unwrap(strings.TrimPrefix(first, "#!/agent "))
		if err != nil || w.engine != "slurm" || len(w.argv) == 0 {
			t.Errorf("%q is read as %+v, %v", first, w, errors.Join(err))
		}
	})
}
