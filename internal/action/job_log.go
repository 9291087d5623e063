package action

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"ehpc/api"
	"ehpc/internal/link"
	"ehpc/internal/store"
)

// GetJobLog reads a part of what a job has printed so far, on the manager, as
// the job's account and inside its home.
func (s *Service) GetJobLog(ctx context.Context, q *api.GetJobLogRequest) (*api.GetJobLogResponse, error) {
	const attempt = "read the output of the job"
	offset, size := int64(deref(q.Offset, 0)), int64(deref(q.Size, link.AccountPartLimit))
	if offset < 0 {
		return nil, api.InvalidParams.Errorf("cannot %s: Offset: %d is less than 0", attempt, offset)
	}
	if size < 1 || size > link.AccountPartLimit {
		return nil, api.InvalidParams.Errorf("cannot %s: Size: %d is not between 1 and %d", attempt, size, link.AccountPartLimit)
	}
	tx := s.Store.Read()
	c, err := s.cluster(ctx, tx, q.ClusterId)
	if err != nil {
		return nil, err
	}
	if err := mustServe(c, attempt); err != nil {
		return nil, err
	}
	j, task, err := s.jobOrTask(ctx, tx, c.ID, q.JobId, attempt)
	if err != nil {
		return nil, err
	}
	if task == "" && isArray(j) {
		return nil, api.InvalidParams.Errorf("cannot %s: JobId: %s is an array, whose tasks have files of their own; name one, such as %s_%d", attempt, j.PublicID, j.PublicID, firstTask(j))
	}
	owner, err := tx.Account(ctx, c.ID, j.Owner)
	if errors.Is(err, store.ErrNotFound) {
		return nil, api.ObjectNotFound.Errorf("cannot %s: JobId: job %s is of %s, which is no account of cluster %s", attempt, j.PublicID, j.Owner, c.ID)
	} else if err != nil {
		return nil, err
	}
	nodes, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	manager, err := s.manager(nodes, c)
	if err != nil {
		return nil, err
	}
	read := func(path string) (string, error) {
		if path == "" {
			return "", nil // not known before the scheduler has shown the job
		}
		text, err := s.Links.Node(manager.ID).ReadFile(ctx, link.AccountPart{Account: j.Owner, UID: owner.UID, Path: path, Offset: offset, Size: size})
		if errors.Is(err, link.ErrDenied) {
			return "", api.InvalidParams.Errorf("cannot %s: JobId: %s is no plain file that %s can read inside its home", attempt, path, j.Owner)
		} else if err != nil {
			return "", s.unreachable(err, attempt+" "+j.PublicID)
		}
		return sameLength(wholeCharacters(text)), nil
	}
	a := &api.GetJobLogResponse{JobId: q.JobId}
	stdout, stderr := outputOf(j, j.Stdout), outputOf(j, j.Stderr)
	if task != "" {
		if stdout, stderr, err = taskOutputs(j, task); err != nil {
			return nil, api.InvalidParams.Errorf("cannot %s: JobId: %v", attempt, err)
		}
	}
	if a.OutputLog, err = read(stdout); err != nil || stderr == stdout {
		return a, err
	}
	a.ErrorLog, err = read(stderr)
	return a, err
}

// wholeCharacters leaves out a character at the end of which a part is missing: it
// comes whole with what is read from there on. What is nothing else is kept.
func wholeCharacters(raw []byte) []byte {
	for back := 1; back < utf8.UTFMax && back < len(raw); back++ {
		end := raw[len(raw)-back:]
		if utf8.RuneStart(end[0]) {
			if !utf8.FullRune(end) {
				return raw[:len(raw)-back]
			}
			return raw
		}
	}
	return raw
}

// sameLength makes text of what a job printed. Every byte that is no part of a
// character becomes one "?", so that positions in the text are those in the file.
func sameLength(raw []byte) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	var b strings.Builder
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		if r == utf8.RuneError && n == 1 {
			b.WriteByte('?')
		} else {
			b.Write(raw[:n])
		}
		raw = raw[n:]
	}
	return b.String()
}
