package main

import (
	"strings"
	"testing"
)

func TestTextFromNodesCannotSteerATerminal(t *testing.T) {
	t.Parallel()
	const name = "x\x1b[2Jy\u009bz\nforged\trow"
	for _, format := range []string{"list", "fields"} {
		t.Run("in "+format, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			s := screen{out: &b, format: formatTable}
			var err error
			if format == "list" {
				err = list(s, []string{name}, column[string]{"NAME", func(n string) string { return n }})
			} else {
				err = s.fields("name", name)
			}
			if err != nil || !strings.Contains(b.String(), "x?[2Jy?z forged row\n") {
				t.Errorf("it shows %q, %v", b.String(), err)
			}
		})
	}
}
