package main

import (
	"bytes"
	"regexp"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	t.Parallel()
	shown := func(p *progress, out *bytes.Buffer) string {
		p.w, p.begun = out, time.Now()
		p.state("creating manager init")
		p.state("creating manager init")
		p.state("running manager running")
		p.end()
		return regexp.MustCompile(`\d\.\ds`).ReplaceAllString(out.String(), "0.0s")
	}
	t.Run("is a line for each new state where there is no terminal", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		if got, want := shown(&progress{}, &out), "    0.0s  creating manager init\n    0.0s  running manager running\n"; got != want {
			t.Errorf("%q, expected %q", got, want)
		}
	})
	t.Run("is one line, cut to its width, on a terminal", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		narrow := &progress{width: func() int { return 24 }}
		const clear = "\r\x1b[K"
		want := clear + "    0.0s  creating man…" + clear + "    0.0s  creating man…" + clear + "    0.0s  running mana…" + "\n"
		if got := shown(narrow, &out); got != want {
			t.Errorf("%q, expected %q", got, want)
		}
	})
}
