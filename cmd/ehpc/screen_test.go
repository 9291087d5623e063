package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ehpc/api"
)

// steering is a name that clears a terminal's screen, forges a row and turns what
// follows around.
const steering = "x\x1b[2Jy\u009bz\nforged\trow\u202e\u2066\u200f\x7f"

func TestTextFromOthersCannotSteerATerminal(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	s := screen{out: &b, err: &b, format: formatTable}
	line, lines := "x?[2Jy?z forged row????\n", "x?[2Jy?z\nforged\trow????\n"
	for name, c := range map[string]struct {
		show func() error
		want string
	}{
		"a table": {func() error {
			return list(s, []string{steering}, column[string]{"NAME", func(n string) string { return n }})
		}, line},
		"ids": {func() error {
			return list(screen{out: &b, format: formatID}, []string{steering}, column[string]{"NAME", func(n string) string { return n }})
		}, line},
		"fields":     {func() error { return s.fields("name", steering) }, line},
		"a sentence": {func() error { return s.done(nil, "", "%s is there", steering+"\n") }, lines},
		"a sentence aside": {func() error {
			return (&remote{screen: s}).aside(nil, "", "%s is there", steering+"\n")
		}, lines},
		"a word in between": {func() error { (&remote{screen: s}).say(steering); return nil }, lines},
		"progress":          {func() error { s.progress().state(steering); return nil }, line},
		"JSON":              {func() error { return s.json(steering) }, `\u001b[2Jy\u009bz\nforged\trow\u202e\u2066\u200f\u007f"`},
	} {
		b.Reset()
		if err := c.show(); err != nil || !strings.Contains(b.String(), c.want) {
			t.Errorf("in %s it shows %q, %v", name, b.String(), err)
		}
		if strings.ContainsFunc(b.String(), func(r rune) bool { return r != '\n' && r != '\t' && steers(r) }) {
			t.Errorf("in %s it steers a terminal: %q", name, b.String())
		}
	}
	var again string
	if err := json.Unmarshal([]byte(shownJSON(fmt.Sprintf("%q", "\u202e"))), &again); err != nil || again != "\u202e" {
		t.Errorf("as JSON it became %q, %v", again, err)
	}
}

func TestARefusalCannotSteerATerminal(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{"ListClusters": {refusal{api.InvalidParams, "cannot list " + steering}}})
	got := s.run("", nil, "cluster", "list")
	if got.status == 0 || strings.ContainsFunc(got.err, func(r rune) bool { return r != '\n' && r != '\t' && steers(r) }) {
		t.Errorf("%+v", got)
	}
}

func TestTextInPiecesIsShownWhole(t *testing.T) {
	t.Parallel()
	const text = "tim\u00e9 \u20ac \U0001f600 \x1b]0;x\a \u202e done\r\n\xff\xe2\x82"
	want := shownLines(text[:len(text)-2])
	for size := 1; size < len(text); size++ {
		var b strings.Builder
		w := &shownWriter{to: &b}
		for at := 0; at < len(text); at += size {
			if n, err := w.Write([]byte(text[at:min(at+size, len(text))])); err != nil || n != min(size, len(text)-at) {
				t.Fatalf("wrote %d, %v", n, err)
			}
		}
		if b.String() != want {
			t.Errorf("in pieces of %d bytes it is %q, want %q", size, b.String(), want)
		}
	}
}

// openTerminal is a pseudo terminal: what is written to it can be read from screen.
func openTerminal(t *testing.T) (to, screen *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	to, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { to.Close() })
	return to, screen
}

// TestWhatJobsPrintOnATerminal: a terminal obeys nothing of it unless that is asked
// for; a file gets what the job printed.
func TestWhatJobsPrintOnATerminal(t *testing.T) {
	t.Parallel()
	const printed = "a\x1b[2Jb\u202ec\n"
	answers := func() map[string][]any {
		one := described(job{Id: "7", State: "COMPLETED", Stdout: "/h/out", Stderr: "/h/out", StartTime: "2026-11-23T21:15:03"})
		return map[string][]any{"DescribeJob": {one}, "GetJobLog": {api.GetJobLogResponse{OutputLog: printed}, api.GetJobLogResponse{}}}
	}
	for _, command := range [][]string{{"job", "log", "ehpc-hz-1", "7"}, {"job", "log", "ehpc-hz-1", "7", "-n", "5"},
		{"job", "log", "ehpc-hz-1", "7", "-f"}, {"job", "follow", "ehpc-hz-1", "7"}} {
		if got := newService(t, answers()).run("", nil, command...); got.out != printed {
			t.Errorf("%v prints %q into a file", command, got.out)
		}
		for flag, want := range map[string]string{"": "a?[2Jb?c\r\n", "--raw": "a\x1b[2Jb\u202ec\r\n"} {
			to, screen := openTerminal(t)
			args := command
			if flag != "" {
				args = append(slices.Clone(command), flag)
			}
			got := newService(t, answers()).runOn(to, args...)
			seen := make([]byte, 1<<10)
			n, err := screen.Read(seen)
			if err != nil || got.status != 0 || string(seen[:n]) != want {
				t.Errorf("%v shows %q, %v; %+v", args, seen[:n], err, got)
			}
		}
	}
}
