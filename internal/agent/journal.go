package agent

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
)

// journal keeps commands on disk, two files each: what was asked for, written
// before the start, and the result, written by the runner at the end. While one
// runs, a third holds what it has printed.
type journal struct{ dir string }

// entry is what was asked for and which process does it.
type entry struct {
	Command hpc.Command
	Boot    string // of the node, when the command was started
	Started time.Time
}

var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$`)

func (j journal) asked(id string) string  { return filepath.Join(j.dir, id+askedSuffix) }
func (j journal) result(id string) string { return filepath.Join(j.dir, id+".json") }
func (j journal) lock(id string) string   { return filepath.Join(j.dir, id+".lock") }
func (j journal) output(id string) string { return filepath.Join(j.dir, id+".out") }

// printed is what a command has printed so far; "" when that cannot be told.
func (j journal) printed(id string) string {
	text, err := os.ReadFile(j.output(id))
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(string(text), "?")
}

// begin writes down, durably, that the command is about to run; false if it was
// before, or by another call at the same time.
func (j journal) begin(cmd hpc.Command, now time.Time) (fresh bool, err error) {
	if !validID.MatchString(cmd.ID) {
		return false, fmt.Errorf("%.40q is not a command's id", cmd.ID)
	}
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return false, fmt.Errorf("cannot open the commands' journal: %w", err)
	}
	for _, before := range []string{j.asked(cmd.ID), j.forgotten(cmd.ID)} {
		if _, err := os.Lstat(before); err == nil {
			return false, nil
		}
	}
	mine := filepath.Join(j.dir, "."+rand.Text())
	defer os.Remove(mine)
	err = j.save(mine, entry{cmd, bootID(), now})
	if err != nil {
		return false, err
	}
	err = os.Link(mine, j.asked(cmd.ID))
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err == nil {
		err = j.sync()
	}
	if err != nil {
		return false, fmt.Errorf("cannot write the commands' journal: %w", err)
	}
	return true, nil
}

// sync makes the names of new files survive a power cut.
func (j journal) sync() error {
	dir, err := os.Open(j.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (j journal) save(path string, value any) error {
	text, err := json.Marshal(value)
	if err == nil {
		err = replace(path, text, 0o600, 0, 0)
	}
	if err != nil {
		return fmt.Errorf("cannot write the commands' journal: %w", err)
	}
	return nil
}

func (j journal) entry(id string) (entry, error) {
	var e entry
	if !validID.MatchString(id) {
		return e, link.ErrUnknownCommand
	}
	err := j.load(j.asked(id), &e)
	if errors.Is(err, fs.ErrNotExist) {
		return e, link.ErrUnknownCommand
	}
	return e, err
}

func (j journal) load(path string, into any) error {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("cannot read the commands' journal: %w", err)
	}
	return nil
}
