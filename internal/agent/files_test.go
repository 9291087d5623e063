package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/scheduler"
)

func TestPathsInHome(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"x": "x", "./x": "x", "a//b": "a/b", "/home/ann/a/b": "a/b", "..x/y": "..x/y", "a/...": "a/...", " ": " ",
	} {
		t.Run("is inside: "+path, func(t *testing.T) {
			t.Parallel()
			if got, err := inHome("/home/ann", path); err != nil || got != want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	for _, path := range []string{"", ".", "/", "x/", "../x", "a/../b", "/home/ann", "/home/ann/", "/home/annie/x", "/home/ann/../bob/x", "/etc/passwd", "a\x00b"} {
		t.Run("is refused: "+strings.ReplaceAll(path, "\x00", "NUL"), func(t *testing.T) {
			t.Parallel()
			if got, err := inHome("/home/ann", path); !errors.Is(err, link.ErrDenied) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func FuzzInHome(f *testing.F) {
	for _, path := range []string{"x", "../x", "/home/ann/x", "a/../../b", "/home/ann/../x", "//home/ann//x"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		name, err := inHome("/home/ann", path)
		if err == nil && !strings.HasPrefix(filepath.Join("/home/ann", name), "/home/ann/") {
			t.Errorf("%q leads to %q", path, name)
		}
	})
}

// root is a node's file system in a directory.
func root(t *testing.T, content map[string]string) files {
	t.Helper()
	f := files{root: t.TempDir()}
	for name, text := range content {
		path := filepath.Join(f.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

var accounts = []hpc.Account{
	{Name: "ann", UID: 20001, Group: hpc.UsersName, PasswordHash: "$y$hash"},
	{Name: "bob", UID: 20002, Group: hpc.WheelName, PasswordHash: "*"},
}

func TestAccountsAreWrittenAndFound(t *testing.T) {
	t.Parallel()
	f := root(t, map[string]string{
		"etc/passwd":                "root:x:0:0:root:/root:/bin/bash\nbroken line\n",
		"etc/group":                 "root:x:0:\n",
		"var/lib/extrausers/passwd": string(passwd(accounts)),
		"var/lib/extrausers/group":  string(groups(accounts)),
	})
	ann, err := f.user("ann")
	if err != nil || ann.uid != 20001 || ann.gid != 20001 || ann.home != "/home/ann" || len(ann.groups) != 1 || ann.groups[0] != hpc.UsersGID {
		t.Errorf("ann is %+v, %v", ann, err)
	}
	bob, err := f.user("bob")
	if err != nil || len(bob.groups) != 1 || bob.groups[0] != hpc.WheelGID {
		t.Errorf("bob is %+v, %v", bob, err)
	}
	if uid, gid, err := f.owner("ann:wheel"); err != nil || uid != 20001 || gid != hpc.WheelGID {
		t.Errorf("ann:wheel is %d:%d, %v", uid, gid, err)
	}
	if _, err := f.user("nosuch"); !errors.Is(err, errNoUser) {
		t.Errorf("got %v", err)
	}
	if want := "ann:$y$hash:19000:0:99999:7:::\nbob:*:19000:0:99999:7:::\n"; string(shadow(accounts)) != want {
		t.Errorf("shadow is %q", shadow(accounts))
	}
}

func FuzzUser(f *testing.F) {
	f.Add("root:x:0:0:root:/root:/bin/bash\n")
	f.Add("root:x:-1:99999999999999999999::::\n:::::::::\n")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := root(t, map[string]string{"etc/passwd": text, "etc/group": text}).user("root")
		if err == nil && u.name != "root" {
			t.Errorf("got %+v", u)
		}
	})
}

func TestFilesArePutInPlace(t *testing.T) {
	t.Parallel()
	f := root(t, nil)
	file := scheduler.File{Path: "/etc/deep/x.conf", Content: []byte("one"), Mode: 0o640}
	put := func(want bool) {
		t.Helper()
		if changed, err := f.put(file); err != nil || changed != want {
			t.Errorf("changed %v, %v", changed, err)
		}
	}
	path := f.root + file.Path
	put(true)
	put(false)
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	put(true)
	file.Content = []byte("two")
	put(true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", path); err != nil {
		t.Fatal(err)
	}
	put(true) // a link is replaced, not followed
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("it is %v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestAStampIsOfTheFilesThatNeedARestart(t *testing.T) {
	t.Parallel()
	list := []scheduler.File{{Path: "/a", Content: []byte("1"), Restart: true}, {Path: "/b", Content: []byte("1")}}
	restart, reload := stampOf(list, true), stampOf(list, false)
	list[1].Content = []byte("2")
	if stampOf(list, true) != restart || stampOf(list, false) == reload {
		t.Error("a file that is reloaded changes the wrong stamp")
	}
	list[0].Content = []byte("2")
	if stampOf(list, true) == restart {
		t.Error("a file that needs a restart does not change its stamp")
	}
}
