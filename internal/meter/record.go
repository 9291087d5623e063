package meter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"ehpc/internal/hpc"
)

// Records is the directory on the cluster's volume, root's alone: a file for each
// job and node.
type Records struct{ dir string }

// Open returns the records in dir, which need not exist before something is written.
func Open(dir string) *Records { return &Records{dir: dir} }

// record is what a file holds.
type record struct {
	hpc.Measurement
	Boot  string // of the node, when it was written
	Group string // that the last part is of
	Inode uint64 // of this group
}

var (
	jobPattern  = regexp.MustCompile(`^[0-9]{1,10}$`)
	hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// path spreads jobs over directories by the end of their ids.
func (r *Records) path(job, host string) string {
	return filepath.Join(r.dir, job[max(len(job)-2, 0):], job+"."+host+".json")
}

func (r *Records) load(job, host string) (rec record, there bool, err error) {
	text, err := os.ReadFile(r.path(job, host))
	if errors.Is(err, fs.ErrNotExist) {
		return rec, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &rec)
	}
	if err != nil {
		return rec, false, fmt.Errorf("cannot read what job %s used on %s: %w", job, host, err)
	}
	return rec, true, nil
}

// save replaces a record, whole; a final one survives a power cut.
func (r *Records) save(rec record) error {
	path := r.path(rec.Job, rec.Host)
	text, err := json.Marshal(rec)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = replace(path, text, rec.Final)
	}
	if err != nil {
		return fmt.Errorf("cannot write down what job %s used: %w", rec.Job, err)
	}
	return nil
}

func replace(path string, text []byte, sync bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".fresh-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err == nil && sync {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// ErrQuestion: what was asked for is not what can be asked for.
var ErrQuestion = errors.New("malformed question for measurements")

// Of returns those of the measurements that there are.
func (r *Records) Of(asked ...hpc.JobOnNode) ([]hpc.Measurement, error) {
	if len(asked) > hpc.MeasurementLimit {
		return nil, fmt.Errorf("%w: %d of at most %d", ErrQuestion, len(asked), hpc.MeasurementLimit)
	}
	var found []hpc.Measurement
	for _, q := range asked {
		if !jobPattern.MatchString(q.Job) || !hostPattern.MatchString(q.Host) {
			return nil, fmt.Errorf("%w: job %.40q on %.70q", ErrQuestion, q.Job, q.Host)
		}
		rec, there, err := r.load(q.Job, q.Host)
		if err != nil {
			return nil, err
		}
		if there {
			found = append(found, rec.Measurement)
		}
	}
	return found, nil
}

// keepFor is how long figures are kept: the server fetches them at a job's end.
const keepFor = 7 * 24 * time.Hour

// Prune removes what was written long ago.
func (r *Records) Prune(now time.Time) error {
	paths, err := filepath.Glob(filepath.Join(r.dir, "*", "*"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || now.Sub(info.ModTime()) <= keepFor || info.IsDir() {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot prune what jobs used: %w", err)
		}
	}
	return nil
}
