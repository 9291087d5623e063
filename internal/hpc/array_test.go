package hpc

import (
	"fmt"
	"testing"
)

func TestParseArray(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ArrayRange{"1-10": {1, 10, 1}, "1-10:2": {1, 10, 2}, "0-0": {0, 0, 1}, "3-9:100": {3, 9, 100}} {
		if got, err := ParseArray(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "1-", "-1", "1-0", "1-2:0", "1-2:", "a-b", "1-2:x", "1-2-3", "1,2", "-1-2", "+1-2", "1-2:+1", " 1-2", "1-99999999999999999999"} {
		if got, err := ParseArray(text); err == nil {
			t.Errorf("%q was taken for %v", text, got)
		}
	}
}

func FuzzParseArray(f *testing.F) {
	for _, text := range []string{"1-10", "1-10:2", "0-0", "9-1", "1-9223372036854775807:9223372036854775807", "-0-1", "+1-2", "00-007"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseArray(text)
		if err != nil {
			return
		}
		if r.First < 0 || r.Last < r.First || r.Step < 1 || r.Len() < 1 {
			t.Fatalf("%q is %+v with %d tasks", text, r, r.Len())
		}
		again, err := ParseArray(fmt.Sprintf("%d-%d:%d", r.First, r.Last, r.Step))
		if err != nil || again != r {
			t.Errorf("%q is %+v and then %+v, %v", text, r, again, err)
		}
	})
}
