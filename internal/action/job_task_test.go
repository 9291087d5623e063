package action

import (
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

func TestATasksFile(t *testing.T) {
	t.Parallel()
	j := &store.Job{PublicID: "7", SchedID: "9"}
	for pattern, want := range map[string]string{"": "", "/h/a-%A_%a": "/h/a-9_3", "/h/%4a/%a": "/h/0003/3", "/h/%099a": "/h/0000000003", "/h/plain": "/h/plain"} {
		if got, err := taskOutput(j, pattern, "3"); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", pattern, got, err, want)
		}
	}
	for _, pattern := range []string{"/h/%j", "/h/%x-%a", "/h/%N"} {
		if got, err := taskOutput(j, pattern, "3"); err == nil {
			t.Errorf("%q is said to be %q", pattern, got)
		}
	}
}

func TestIndexesOfAnArray(t *testing.T) {
	t.Parallel()
	r, err := hpc.ParseArray("1-10:4")
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]bool{0: false, 1: true, 2: false, 5: true, 9: true, 10: false, 13: false} {
		if r.Has(n) != want {
			t.Errorf("it has %d: %v", n, !want)
		}
	}
}

func TestACharacterIsNotCutInTwo(t *testing.T) {
	t.Parallel()
	text := "aä中😀"
	for cut := range len(text) + 1 {
		head := wholeCharacters([]byte(text[:cut]))
		if cut > 0 && len(head) == 0 {
			t.Errorf("nothing is left of %d bytes", cut)
		}
		if rest := text[len(head):]; cut > 1 && sameLength(head)+sameLength([]byte(rest)) != text {
			t.Errorf("cut at %d it becomes %q and %q", cut, head, rest)
		}
	}
	if got := string(wholeCharacters([]byte("a\xff"))); got != "a\xff" {
		t.Errorf("a byte that begins no character was taken off: %q", got)
	}
}
