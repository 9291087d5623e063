package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ehpc/internal/scheduler"
)

// files puts the system's files in place under root.
type files struct{ root string }

// put makes the file stand as described and tells whether it had to change. A
// reader sees the old or the new file, whole.
func (f files) put(file scheduler.File) (changed bool, err error) {
	uid, gid, err := f.owner(file.Owner)
	if err != nil {
		return false, fmt.Errorf("cannot write %s: %w", file.Path, err)
	}
	path := filepath.Join(f.root, file.Path)
	if f.stands(path, file, uid, gid) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, fmt.Errorf("cannot write %s: %w", file.Path, err)
	}
	if err := replace(path, file.Content, fs.FileMode(file.Mode), uid, gid); err != nil {
		return false, fmt.Errorf("cannot write %s: %w", file.Path, err)
	}
	return true, nil
}

func (f files) stands(path string, file scheduler.File, uid, gid int) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != fs.FileMode(file.Mode) {
		return false
	}
	if s := info.Sys().(*syscall.Stat_t); int(s.Uid) != uid || int(s.Gid) != gid {
		return false
	}
	have, err := os.ReadFile(path)
	return err == nil && bytes.Equal(have, file.Content)
}

// replace writes content beside path and renames it there.
func replace(path string, content []byte, mode fs.FileMode, uid, gid int) error {
	fresh, err := os.CreateTemp(filepath.Dir(path), ".ehpc-*")
	if err != nil {
		return err
	}
	defer os.Remove(fresh.Name())
	err = errors.Join(fresh.Chown(uid, gid), fresh.Chmod(mode))
	if err == nil {
		_, err = fresh.Write(content)
	}
	if err == nil {
		err = fresh.Sync()
	}
	if err = errors.Join(err, fresh.Close()); err != nil {
		return err
	}
	return os.Rename(fresh.Name(), path)
}

// dir makes the directory, with its mode and owner.
func (f files) dir(d scheduler.File) error {
	uid, gid, err := f.owner(d.Owner)
	if err != nil {
		return fmt.Errorf("cannot make %s: %w", d.Path, err)
	}
	path := filepath.Join(f.root, d.Path)
	err = os.MkdirAll(path, 0o755)
	if err == nil {
		err = os.Chown(path, uid, gid)
	}
	if err == nil {
		err = os.Chmod(path, fs.FileMode(d.Mode))
	}
	if err != nil {
		return fmt.Errorf("cannot make %s: %w", d.Path, err)
	}
	return nil
}

// owner looks "user", "user:group" or "" up.
func (f files) owner(text string) (uid, gid int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	name, group, grouped := strings.Cut(text, ":")
	u, err := f.user(name)
	if err != nil {
		return 0, 0, err
	}
	if !grouped {
		return u.uid, u.gid, nil
	}
	gid, err = f.group(group)
	return u.uid, gid, err
}
