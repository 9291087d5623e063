package slurm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// submits is the journal of submissions: a file per token, empty while its
// submission is under way, then with the job's id. The file "last" holds the
// highest id.
type submits struct{ dir string }

const lastName = "last"

// find returns the id under which the token was submitted; tried tells whether
// its submission ever began.
func (s submits) find(token string) (id string, tried bool, err error) {
	text, err := os.ReadFile(s.path(token))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("cannot read the journal of submissions: %w", err)
	}
	return string(text), true, nil
}

// path spreads the tokens, which differ at their end, over directories.
func (s submits) path(token string) string {
	return filepath.Join(s.dir, token[max(len(token)-2, 0):], token)
}

func (s submits) begin(token string) error {
	path := s.path(token)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot write the journal of submissions: %w", err)
	}
	return s.write(path, "")
}

func (s submits) end(token, id string) error {
	if err := s.write(s.path(token), id); err != nil {
		return err
	}
	last, err := s.last()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return fmt.Errorf("cannot write the journal of submissions: %q is no job id", id)
	}
	if n <= last {
		return nil
	}
	return s.write(filepath.Join(s.dir, lastName), id)
}

// last is the highest id that was ever given to a submission, 0 before the first.
func (s submits) last() (uint64, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, lastName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot read the journal of submissions: %w", err)
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
}

// write replaces the file durably: what is told to the server is on disk.
func (s submits) write(path, text string) error {
	if err := writeDurably(path, text); err != nil {
		return fmt.Errorf("cannot write the journal of submissions: %w", err)
	}
	return nil
}

func writeDurably(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".fresh-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
