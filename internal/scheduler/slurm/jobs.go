package slurm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// idsPerCall keeps a command's arguments short.
const idsPerCall = 500

// Release implements scheduler.Driver.
func (c *client) Release(ctx context.Context, ids ...string) error {
	held := func(j scheduler.Job) bool { return j.State == hpc.JobPending && strings.HasPrefix(j.Reason, "JobHeld") }
	return c.change(ctx, []string{"scontrol", "release"}, ids, held)
}

// Cancel implements scheduler.Driver.
func (c *client) Cancel(ctx context.Context, ids ...string) error {
	left := func(j scheduler.Job) bool { return j.State != hpc.JobCompleting }
	return c.change(ctx, []string{"scancel", "--quiet"}, ids, left)
}

// change runs a command on jobs. It fails as a whole for the sake of one id
// that is not known any more: what counts is whether a job is left unchanged.
func (c *client) change(ctx context.Context, command, ids []string, unchanged func(scheduler.Job) bool) error {
	for len(ids) > 0 {
		some := ids[:min(len(ids), idsPerCall)]
		ids = ids[len(some):]
		if err := checkIDs(some); err != nil {
			return err
		}
		_, failure := c.run(ctx, call{argv: append(command[:len(command):len(command)], some...)})
		if failure == nil {
			continue
		}
		jobs, err := c.queue(ctx)
		if err != nil {
			return err
		}
		for _, job := range jobs {
			if among(job, some) && unchanged(job) {
				return fmt.Errorf("job %s: %w", job.ID, failure)
			}
		}
	}
	return nil
}

func among(job scheduler.Job, ids []string) bool {
	for _, id := range ids {
		if id == job.ID || id == job.Array {
			return true
		}
	}
	return false
}

// checkIDs lets nothing through that a command could take for an option or a list.
func checkIDs(ids []string) error {
	for _, id := range ids {
		if id == "" || strings.Trim(id, "0123456789_") != "" {
			return fmt.Errorf("%w: %.40q is not a job's id", scheduler.ErrRejected, id)
		}
	}
	return nil
}

// Observe implements scheduler.Driver. Slurm's completion log does not tell
// an ended job's Restarts, Priority, Stdout and Stderr.
func (c *client) Observe(ctx context.Context, cursor string) (scheduler.Observation, error) {
	begun := time.Now()
	o, err := c.ends(cursor, func() ([]scheduler.Job, error) { return c.queue(ctx) })
	if err != nil {
		return scheduler.Observation{}, fmt.Errorf("cannot observe: %w", err)
	}
	if err := c.hasten(ctx, o.Queue); err != nil {
		return scheduler.Observation{}, fmt.Errorf("cannot let requeued jobs start: %w", err)
	}
	if err := c.noteIDs(o.Queue); err != nil {
		return scheduler.Observation{}, fmt.Errorf("cannot observe: %w", err)
	}
	o.Begun = begun
	if o.Boot, err = c.boot(ctx); err != nil {
		return scheduler.Observation{}, fmt.Errorf("cannot observe: %w", err)
	}
	return o, nil
}

// noteIDs remembers the ids of jobs that others submitted, too.
func (c *client) noteIDs(queue []scheduler.Job) error {
	if len(queue) == 0 {
		return nil
	}
	highest := slices.MaxFunc(queue, func(a, b scheduler.Job) int {
		return cmp.Or(cmp.Compare(len(a.Whole()), len(b.Whole())), cmp.Compare(a.Whole(), b.Whole()))
	})
	return c.ids.note(highest.Whole())
}

// boot asks when the controller started, to the second.
func (c *client) boot(ctx context.Context) (time.Time, error) {
	out, err := c.run(ctx, call{argv: []string{"scontrol", "show", "config"}})
	if err != nil {
		return time.Time{}, err
	}
	return parseBoot(out)
}

func parseBoot(out []byte) (time.Time, error) {
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(key) == "BOOT_TIME" {
			var p fieldParser
			boot := p.time(strings.TrimSpace(value))
			if p.err != nil || !boot.IsZero() {
				return boot, p.err
			}
		}
	}
	return time.Time{}, fmt.Errorf("scontrol does not tell when the controller started")
}

// Find implements scheduler.Driver. Somebody else's job with the token is not ours.
func (c *client) Find(ctx context.Context, token string, uid int) ([]string, error) {
	var found []string
	look := func(j scheduler.Job) (enough bool) {
		id := j.Whole()
		if strings.EqualFold(j.Token, token) && j.UID == uid && !slices.Contains(found, id) {
			found = append(found, id)
		}
		return false
	}
	if _, err := readEndings(c.jobcomp, 0, func(e ending) bool { return look(e.Job) }); err != nil {
		return nil, err
	}
	jobs, err := c.queue(ctx)
	if err != nil {
		return nil, err
	}
	for _, job := range jobs {
		look(job)
	}
	return found, nil
}
