package action

import (
	"strings"
	"testing"
)

// FuzzScript: whatever the command line is, the script is one that a scheduler
// takes, and a command that is not the name of a script stands in it as it came.
func FuzzScript(f *testing.F) {
	for _, text := range []string{"", "true", "./run.sh", "run.sh -n 4 'a b'", "#!/bin/sh\necho x", "a/b;c", "a.b\nc", "~/x.sh $(id)", "-x.sh", "a.sh  "} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := script(text)
		if !strings.HasPrefix(got, "#!") || !strings.HasSuffix(got, "\n") {
			t.Fatalf("%q became %q", text, got)
		}
		plain := strings.ReplaceAll(text, "\r\n", "\n")
		if !strings.Contains(got, strings.TrimSpace(plain)) && !strings.Contains(got, plain) {
			t.Errorf("%q is not in %q", text, got)
		}
	})
}
