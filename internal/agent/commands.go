package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"ehpc/internal/hpc"
)

// StartCommand implements link.Node. The command runs under a runner of its own
// session, which outlives the agent.
func (a *Agent) StartCommand(ctx context.Context, cmd hpc.Command) error {
	fresh, err := a.journal.begin(cmd, time.Now())
	if err != nil || !fresh {
		return err
	}
	a.prune(time.Now())
	// Held by the runner while it lives, inherited, and released by the kernel
	// however it ends.
	lock, err := os.OpenFile(a.journal.lock(cmd.ID), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("cannot start command %s: %w", cmd.ID, err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("cannot start command %s: %w", cmd.ID, err)
	}
	runner := exec.Command(a.opts.Program, "run-command", a.journal.dir, cmd.ID)
	runner.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	runner.ExtraFiles = []*os.File{lock}
	if err := runner.Start(); err != nil {
		return fmt.Errorf("cannot start command %s: %w", cmd.ID, err)
	}
	ended, seen := make(chan struct{}), make(chan bool, 1)
	a.commands.Go(func() {
		runner.Wait()
		close(ended)
		if <-seen {
			return
		}
		select {
		case a.ended <- struct{}{}:
		default:
		}
	})
	patience := time.NewTimer(quick)
	defer patience.Stop()
	select {
	case <-ended:
		seen <- true // by who asked, whose next question is the result
	case <-patience.C:
		seen <- false
	case <-ctx.Done():
		seen <- false
	}
	return nil
}

// quick is how long the start of a command waits for its end. Most end within
// it, and then nobody has to be told and to look again, on every node.
const quick = time.Second

// CommandResult implements link.Node.
func (a *Agent) CommandResult(_ context.Context, id string) (hpc.CommandResult, error) {
	e, err := a.journal.entry(id)
	if err != nil {
		return hpc.CommandResult{}, err
	}
	// Whether it still runs is asked before the result is looked for, so that one
	// that ends in between is not taken for lost.
	running := a.running(e)
	var result hpc.CommandResult
	err = a.journal.load(a.journal.result(id), &result)
	if !errors.Is(err, fs.ErrNotExist) {
		return result, err
	}
	if running {
		return hpc.CommandResult{Status: hpc.CommandRunning, Output: a.journal.printed(id)}, nil
	}
	return hpc.CommandResult{
		Status: hpc.CommandFailed, ExitCode: -1, Finished: time.Now(),
		Output: a.journal.printed(id) + "the command was interrupted and its result is lost",
	}, nil
}

// running tells whether the command's runner lives: it holds the lock.
func (a *Agent) running(e entry) bool {
	lock, err := os.Open(a.journal.lock(e.Command.ID))
	if err != nil {
		return false
	}
	defer lock.Close()
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK)
}
