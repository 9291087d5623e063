package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What jobs print and what people call things may hold what terminals obey: it
// could hide, forge or type text. It is shown as "?".

// steers tells whether a terminal does something else with a character than to
// show it where it stands: control characters, and those that turn the direction
// of writing.
func steers(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// shown is text for one line or cell of a terminal.
func shown(text string) string {
	return blanks.Replace(shownLines(text))
}

var blanks = strings.NewReplacer("\n", " ", "\t", " ")

// shownLines is text of several lines for a terminal.
func shownLines(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && steers(r) {
			return '?'
		}
		return r
	}, text)
}

// shownJSON is JSON that says the same and steers no terminal: what does stands in
// strings alone, where it may be written by its number.
func shownJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r != '\n' && steers(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// shownWriter writes text in pieces as shownLines has it. A character that the end of
// a piece cuts in two is written with the next.
type shownWriter struct {
	to  io.Writer
	cut []byte
}

func (h *shownWriter) Write(p []byte) (int, error) {
	text := append(h.cut, p...)
	end := len(text)
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if at := len(text) - back; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				end = at
			}
			break
		}
	}
	h.cut = append([]byte(nil), text[end:]...)
	if _, err := io.WriteString(h.to, shownLines(string(text[:end]))); err != nil {
		return 0, err
	}
	return len(p), nil
}
