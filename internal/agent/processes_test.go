package agent

import (
	"fmt"
	"slices"
	"testing"
)

func TestVictims(t *testing.T) {
	t.Parallel()
	const gone, stays = 20003, 20001
	goes := func(uid int) bool { return uid == gone }
	all := []process{
		{pid: 1, uid: 0, login: -1, sudo: -1},
		{pid: 10, parent: 1, uid: 0, login: -1, sudo: -1},        // sshd
		{pid: 11, parent: 10, uid: gone, login: gone, sudo: -1},  // a shell
		{pid: 12, parent: 11, uid: 0, login: -1, sudo: -1},       // sudo itself
		{pid: 13, parent: 12, uid: 0, login: -1, sudo: gone},     // what it runs
		{pid: 14, parent: 13, uid: 0, login: -1, sudo: -1},       // su, which cleans the environment
		{pid: 20, parent: 1, uid: 0, login: -1, sudo: gone},      // left in the background
		{pid: 21, parent: 1, uid: 0, login: gone, sudo: -1},      // without its environment
		{pid: 30, parent: 1, uid: 0, login: stays, sudo: stays},  // another's
		{pid: 31, parent: 1, uid: stays, login: stays, sudo: -1}, // another's
		{pid: 32, parent: 11, uid: stays, login: -1, sudo: -1},   // another's, whoever started it
	}
	pids := func(own int) (list []int) {
		for _, p := range victims(all, goes, own) {
			list = append(list, p.pid)
		}
		return list
	}
	if got := pids(-1); !slices.Equal(got, []int{11, 12, 13, 14, 20, 21}) {
		t.Errorf("killed are %v", got)
	}
	if got := pids(gone); slices.Contains(got, 21) {
		t.Errorf("what has the login of the whole node was killed: %v", got)
	}
}

func TestSudoOf(t *testing.T) {
	t.Parallel()
	for env, want := range map[string]int{
		"A=1\x00SUDO_UID=20003\x00B=2\x00": 20003, "": -1, "SUDO_UID=\x00": -1, "XSUDO_UID=5\x00": -1, "SUDO_UID=-1": -1,
	} {
		if got := sudoOf([]byte(env)); got != want {
			t.Errorf("%q: %d, want %d", env, got, want)
		}
	}
}

func FuzzBirthOf(f *testing.F) {
	f.Add([]byte("7 (a) b) S 3 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0"))
	f.Add([]byte(")"))
	f.Fuzz(func(t *testing.T, stat []byte) {
		if parent, born, ok := birthOf(stat); ok && born == "" {
			t.Errorf("%d, %q", parent, born)
		}
		birthOf([]byte(fmt.Sprintf("%s) S 1", stat)))
	})
}
