package agent

import "testing"

func TestUserOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, status string
		uid          int
		runs         bool
	}{
		{"a running process has its real user", "Name:\tsleep\nState:\tS (sleeping)\nUid:\t20003\t0\t0\t0\nGid:\t1\t1\t1\t1\n", 20003, true},
		{"a zombie does not run", "Name:\tx\nState:\tZ (zombie)\nUid:\t20003\t20003\t20003\t20003\n", -1, false},
		{"a name cannot stand for the user", "Name:\tUid: 20003\nState:\tR (running)\nUid:\t0\t0\t0\t0\n", 0, true},
		{"a status without a user is nobody's", "Name:\tx\nState:\tR (running)\n", -1, false},
		{"a user that is no number is nobody", "Uid:\t-1\t0\n", -1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if uid, runs := userOf([]byte(c.status)); uid != c.uid || runs != c.runs {
				t.Errorf("%d, %v, want %d, %v", uid, runs, c.uid, c.runs)
			}
		})
	}
}

func FuzzUserOf(f *testing.F) {
	f.Add([]byte("Name:\tsleep\nState:\tS (sleeping)\nUid:\t20003\t0\t0\t0\n"))
	f.Add([]byte("Uid:\nState:"))
	f.Fuzz(func(t *testing.T, status []byte) {
		if uid, runs := userOf(status); runs != (uid >= 0) {
			t.Errorf("%d, %v", uid, runs)
		}
	})
}
