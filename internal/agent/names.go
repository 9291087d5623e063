package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// user is an entry of the passwd files.
type user struct {
	name   string
	uid    int
	gid    int
	home   string
	shell  string
	groups []int // supplementary
}

var errNoUser = errors.New("no such user on this node")

// userFiles are where the node's name service looks users up: the system's own
// first, then the cluster's accounts.
var userFiles = []string{"etc/passwd", "var/lib/extrausers/passwd"}

// user looks a name up as the node's name service does.
func (f files) user(name string) (user, error) {
	for _, file := range userFiles {
		fields, err := f.entry(file, name, 7)
		if err != nil {
			return user{}, err
		}
		if fields == nil {
			continue
		}
		uid, err1 := strconv.Atoi(fields[2])
		gid, err2 := strconv.Atoi(fields[3])
		if err := errors.Join(err1, err2); err != nil {
			return user{}, fmt.Errorf("cannot read /%s: %w", file, err)
		}
		groups, err := f.groupsOf(name)
		return user{name: name, uid: uid, gid: gid, home: fields[5], shell: fields[6], groups: groups}, err
	}
	return user{}, fmt.Errorf("%w: %q", errNoUser, name)
}

var groupFiles = []string{"etc/group", "var/lib/extrausers/group"}

func (f files) group(name string) (int, error) {
	for _, file := range groupFiles {
		fields, err := f.entry(file, name, 4)
		if err != nil {
			return 0, err
		}
		if fields != nil {
			return strconv.Atoi(fields[2])
		}
	}
	return 0, fmt.Errorf("no group %q on this node", name)
}

func (f files) groupsOf(name string) ([]int, error) {
	var gids []int
	for _, file := range groupFiles {
		err := f.each(file, 4, func(fields []string) {
			gid, err := strconv.Atoi(fields[2])
			if err == nil && slices.Contains(strings.Split(fields[3], ","), name) {
				gids = append(gids, gid)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return gids, nil
}

func (f files) entry(file, name string, n int) (found []string, err error) {
	err = f.each(file, n, func(fields []string) {
		if fields[0] == name && found == nil {
			found = fields
		}
	})
	return found, err
}

// each calls fn for every line of the file that has n fields. A missing file is empty.
func (f files) each(file string, n int, fn func(fields []string)) error {
	r, err := os.Open(filepath.Join(f.root, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look a name up: %w", err)
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if fields := strings.Split(lines.Text(), ":"); len(fields) == n {
			fn(fields)
		}
	}
	return lines.Err()
}
