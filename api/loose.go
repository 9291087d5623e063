package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// ReadJSON reads the JSON text of a parameter into v. It also takes the form that
// the document's examples have, with bare words and typographic quotes:
// [{Id:ehpc-job-tmpl-x}], [{“Id”:”2.sched”}].
func ReadJSON(text string, v any) error {
	strict, err := strictJSON(text)
	if err != nil {
		return err
	}
	return json.Unmarshal(strict, v)
}

func strictJSON(text string) ([]byte, error) {
	if json.Valid([]byte(text)) {
		return []byte(text), nil
	}
	l := loose{text: text}
	l.value(0)
	if l.space(); l.bad || l.text != "" {
		return nil, errors.New("not JSON")
	}
	return l.out.Bytes(), nil
}

// maxLooseDepth is more than any parameter has.
const maxLooseDepth = 8

// loose rewrites a list or an object with bare words as JSON. A bare word is text,
// whatever it looks like.
type loose struct {
	text string // what is left
	bad  bool
	out  bytes.Buffer
}

func (l *loose) space() { l.text = strings.TrimLeft(l.text, " \t\r\n") }

// next takes the byte if it is what comes next.
func (l *loose) next(c byte) bool {
	l.space()
	if l.text == "" || l.text[0] != c {
		return false
	}
	l.text = l.text[1:]
	return true
}

func (l *loose) value(depth int) {
	switch {
	case l.next('['):
		l.members('[', ']', depth, func() { l.value(depth + 1) })
	case l.next('{'):
		l.members('{', '}', depth, func() {
			l.word(",:[]{}")
			if !l.next(':') {
				l.bad = true
			}
			l.out.WriteByte(':')
			l.value(depth + 1)
		})
	case depth == 0: // a word alone is no JSON
		l.bad = true
	default:
		l.word(",[]{}")
	}
}

// members reads what stands between brackets, each by one.
func (l *loose) members(open, end byte, depth int, one func()) {
	l.out.WriteByte(open)
	defer l.out.WriteByte(end)
	if l.next(end) {
		return
	}
	for !l.bad && depth < maxLooseDepth {
		one()
		if l.next(end) {
			return
		}
		if !l.next(',') {
			break
		}
		l.out.WriteByte(',')
	}
	l.bad = true
}

const (
	openQuotes  = `"“”‘’'`
	closeSingle = `‘’'`
	closeDouble = `"“”`
)

// word reads a quoted text, or a bare one that ends before any of the bytes.
func (l *loose) word(ends string) {
	l.space()
	first, size := utf8.DecodeRuneInString(l.text)
	if l.text != "" && strings.ContainsRune(openQuotes, first) {
		closing := closeDouble
		if strings.ContainsRune(closeSingle, first) {
			closing = closeSingle
		}
		rest := l.text[size:]
		at := strings.IndexAny(rest, closing)
		if at < 0 {
			l.bad = true
			return
		}
		_, size = utf8.DecodeRuneInString(rest[at:])
		l.put(rest[:at])
		l.text = rest[at+size:]
		return
	}
	at := strings.IndexAny(l.text, ends)
	if at < 0 {
		l.bad = true
		return
	}
	l.put(strings.TrimSpace(l.text[:at]))
	l.text = l.text[at:]
}

func (l *loose) put(word string) {
	text, err := json.Marshal(word)
	l.bad = l.bad || err != nil
	l.out.Write(text)
}
