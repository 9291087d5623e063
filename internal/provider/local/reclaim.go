package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// Reclaim writes the notice into the machine's record, so that the next process
// keeps it; Watch ends the machine.
func (p *Provider) Reclaim(ctx context.Context, id string, at time.Time) error {
	if err := checkID(id); err != nil {
		return fmt.Errorf("cannot reclaim machine: %w", err)
	}
	defer p.locks.lock("machine " + id)()
	if err := p.reclaim(ctx, id, at); err != nil {
		return fmt.Errorf("cannot reclaim machine %s: %w", id, err)
	}
	return nil
}

func (p *Provider) reclaim(ctx context.Context, id string, at time.Time) error {
	rec, err := p.loadRecord(id)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (rec.Phase != made || !rec.Init.alive()) {
		return errors.New("it does not run")
	}
	if err != nil {
		return err
	}
	if rec.Reclaim.IsZero() || at.Before(rec.Reclaim) {
		rec.Reclaim = at.UTC().Round(0)
		if err := p.saveRecord(rec); err != nil {
			return err
		}
		p.inits.add(rec)
		p.log.Info("machine has notice", "cluster", rec.Spec.ClusterID, "node", id, "at", rec.Reclaim)
	}
	if at.After(time.Now()) {
		return nil
	}
	if _, err := p.cgroups.letGo(p.group(id), rec.Init); err != nil { // what it has stopped would keep it
		return err
	}
	return rec.Init.kill(ctx)
}

// kill ends the process at once and waits until it has ended.
func (p process) kill(ctx context.Context) error {
	fd, ok, err := p.open()
	if err != nil || !ok {
		return err
	}
	defer unix.Close(fd)
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	if !waitReadable(ctx, fd, killWait) {
		return fmt.Errorf("its first process goes on after a SIGKILL")
	}
	return nil
}

// takeBackAgain is how long what was killed is given to end.
const takeBackAgain = 50 * time.Millisecond

// takeBack ends the machines whose time has come; it returns how long until the
// next one's.
func (p *Provider) takeBack(w *watcher, inits map[string]watched) time.Duration {
	next := time.Duration(math.MaxInt64)
	for boot, init := range inits {
		fd, open := w.open[boot]
		if init.reclaim.IsZero() || !open {
			continue
		}
		left := time.Until(init.reclaim)
		if left <= 0 {
			p.log.Info("machine is taken back", "node", init.id)
			if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				p.log.Error("cannot take a machine back", "node", init.id, "err", err)
			}
			left = takeBackAgain
		}
		next = min(next, left)
	}
	return next
}
