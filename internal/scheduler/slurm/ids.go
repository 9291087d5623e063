package slurm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// ids remembers, in a file on the cluster's volume, the highest id that the
// controller gave, or one that is higher.
type ids struct {
	path string

	mu   sync.Mutex
	kept uint64 // what the file holds, 0 before it was read
}

// idStep is how far ahead the file is written, so that it is not written for
// every job.
const idStep = 100

// note sees to it that the file holds no less than id.
func (i *ids) note(id string) error {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return fmt.Errorf("cannot remember the highest job id: %q is no job id", id)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.kept == 0 {
		if i.kept, err = i.highest(); err != nil {
			return err
		}
	}
	if n <= i.kept {
		return nil
	}
	if err := writeDurably(i.path, strconv.FormatUint(n+idStep, 10)); err != nil {
		return fmt.Errorf("cannot remember the highest job id: %w", err)
	}
	i.kept = n + idStep
	return nil
}

// highest is what the file holds, 0 before the first job.
func (i *ids) highest() (uint64, error) {
	text, err := os.ReadFile(i.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("cannot recall the highest job id: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("cannot recall the highest job id: %w", err)
	}
	return n, nil
}

// writeDurably replaces a file: what was told to the server is on disk.
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
