package rig

import (
	"bytes"
	"context"
	"sync"
)

// Log is what a service wrote, line by line.
type Log struct {
	mu      sync.Mutex
	text    []byte
	changed chan struct{} // closed when more has come
}

func newLog() *Log { return &Log{changed: make(chan struct{})} }

// Write takes more of the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	close(l.changed)
	l.changed = make(chan struct{})
	return len(p), nil
}

func (l *Log) look() (text []byte, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text[:len(l.text):len(l.text)], l.changed
}

// Len is how long the log is now.
func (l *Log) Len() int {
	text, _ := l.look()
	return len(text)
}

// Tail is the end of the log.
func (l *Log) Tail() string {
	text, _ := l.look()
	return string(text[max(0, len(text)-16<<10):])
}

// Await waits until what was written after the place satisfies yes, and returns
// it; nil once ctx is done.
func (l *Log) Await(ctx context.Context, place int, yes func(text []byte) bool) []byte {
	for {
		text, changed := l.look()
		if yes(text[place:]) {
			return text[place:]
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// Lines waits until so many lines were written after the place, or ctx is done.
func (l *Log) Lines(ctx context.Context, place, count int) {
	l.Await(ctx, place, func(text []byte) bool { return bytes.Count(text, []byte("\n")) >= count })
}
