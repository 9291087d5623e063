package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ehpc/internal/link"
)

// What is kept of commands that have ended. A server that received a result has
// it forgotten; these bounds are for results that nobody fetched. Of a forgotten
// command an empty file stays, so that it is not started a second time.
const (
	keepResults     = 7 * 24 * time.Hour
	maxResults      = 1000
	keepForgotten   = 30 * 24 * time.Hour
	maxForgotten    = 10_000
	pruneInterval   = 10 * time.Minute
	askedSuffix     = ".command.json"
	forgottenSuffix = ".done"
)

func (j journal) forgotten(id string) string { return filepath.Join(j.dir, id+forgottenSuffix) }
func (j journal) files(id string) string     { return filepath.Join(j.dir, id+".files") }

// ForgetCommand implements link.Node.
func (a *Agent) ForgetCommand(_ context.Context, id string) error {
	e, err := a.journal.entry(id)
	if errors.Is(err, link.ErrUnknownCommand) || err == nil && a.running(e) {
		return nil
	}
	if err == nil {
		err = a.journal.forget(id)
	}
	return err
}

// forget drops what is kept of a command that has ended.
func (j journal) forget(id string) error {
	mark, err := os.OpenFile(j.forgotten(id), os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		err = errors.Join(mark.Close(), j.sync())
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range []string{j.asked(id), j.result(id), j.lock(id), j.output(id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, os.RemoveAll(j.files(id)))...)
}

// prune holds the journal to its bounds, at most every pruneInterval.
func (a *Agent) prune(now time.Time) {
	a.mu.Lock()
	due := now.Sub(a.pruned) >= pruneInterval
	if due {
		a.pruned = now
	}
	a.mu.Unlock()
	if !due {
		return
	}
	ended := func(id string) bool {
		e, err := a.journal.entry(id)
		return err == nil && !a.running(e)
	}
	if err := a.journal.prune(now, ended); err != nil {
		a.opts.Log.Warn("cannot prune the commands' journal", "err", err)
	}
}

func (j journal) prune(now time.Time, ended func(id string) bool) error {
	asked, err := j.list(askedSuffix)
	if err != nil {
		return err
	}
	var errs []error
	kept := 0
	for _, f := range asked {
		if kept++; kept <= maxResults && now.Sub(f.since) <= keepResults {
			continue
		}
		if ended(f.id) {
			errs = append(errs, j.forget(f.id))
		}
	}
	gone, err := j.list(forgottenSuffix)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for i, f := range gone {
		if i >= maxForgotten || now.Sub(f.since) > keepForgotten {
			errs = append(errs, os.Remove(j.forgotten(f.id)))
		}
	}
	return errors.Join(errs...)
}

// kept is a file of the journal.
type kept struct {
	id    string
	since time.Time
}

// list returns the files with the suffix, newest first.
func (j journal) list(suffix string) ([]kept, error) {
	entries, err := os.ReadDir(j.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []kept
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || !validID.MatchString(id) {
			continue
		}
		if info, err := e.Info(); err == nil { // else it has just gone
			all = append(all, kept{id, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return b.since.Compare(a.since) })
	return all, nil
}
