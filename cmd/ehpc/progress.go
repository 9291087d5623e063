package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/term"
)

// progress shows how something long goes on. On a terminal the present state is
// one line that is written over; elsewhere each new state is a line of its own.
type progress struct {
	w     io.Writer
	begun time.Time
	last  string
	width func() int // of the terminal, nil without one
}

func (s screen) progress() *progress {
	p := &progress{w: s.err, begun: time.Now()}
	if f, ok := terminal(s.err); ok {
		p.width = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 80
			}
			return width
		}
	}
	return p
}

// state shows how it is now.
func (p *progress) state(text string) {
	text = strings.TrimRight(shown(text), " ")
	if p.width != nil {
		fmt.Fprintf(p.w, "\r\x1b[K%s", cut(p.elapsed()+text, p.width()-1))
	} else if text != p.last {
		fmt.Fprintln(p.w, p.elapsed()+text)
	}
	p.last = text
}

// interrupt makes room for another line.
func (p *progress) interrupt() {
	if p != nil && p.width != nil && p.last != "" {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// makeRoom clears the line for something that stays; from now on each new state is
// a line of its own, for none may be written over that.
func (p *progress) makeRoom() {
	p.interrupt()
	p.width = nil
}

// end leaves the last state standing.
func (p *progress) end() {
	if p.width != nil && p.last != "" {
		fmt.Fprintln(p.w)
	}
	p.last = ""
}

func (p *progress) elapsed() string {
	return fmt.Sprintf("%7.1fs  ", time.Since(p.begun).Seconds())
}

func cut(s string, width int) string {
	runes := []rune(s)
	if width < 1 || len(runes) <= width {
		return s
	}
	return strings.TrimRight(string(runes[:width-1]), " ") + "…"
}
