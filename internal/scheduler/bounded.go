package scheduler

import (
	"bytes"
	"encoding/json"
	"fmt"
)

const (
	// itemLimit bounds the jobs or nodes of an answer: twice the largest queue.
	itemLimit = 400_000
	// itemBytes bounds one of them: a job on the most nodes, with room to spare.
	itemBytes = 64 << 10
)

// bounded is a list in a node's answer. Root on a node can answer what it
// likes, and what takes three bytes to say may take hundreds to hold.
type bounded[T any] []T

// UnmarshalJSON stops at the first item over a limit.
func (l *bounded[T]) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	begin, err := d.Token()
	if err != nil || begin == nil { // null is no items
		return err
	}
	if begin != json.Delim('[') {
		return fmt.Errorf("%.40q is no list", text)
	}
	for d.More() {
		if len(*l) == itemLimit {
			return fmt.Errorf("a list of more than %d items", itemLimit)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		if len(raw) > itemBytes {
			return fmt.Errorf("an item of %d bytes in a list", len(raw))
		}
		var item T
		if err := json.Unmarshal(raw, &item); err != nil {
			return err
		}
		*l = append(*l, item)
	}
	return nil
}
