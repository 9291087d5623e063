package fence

import (
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
)

// signals are what a scheduler sends a job. They go to the process that the
// scheduler started, and are handed on to the script: only a SIGKILL goes to all.
type signals struct {
	stopped chan struct{} // is closed by the first SIGTERM

	mu     sync.Mutex
	early  []os.Signal // came before the script began
	script *os.Process
}

// earlyLimit is how many signals are kept for a script that has not begun.
const earlyLimit = 16

func catchSignals() *signals {
	s := &signals{stopped: make(chan struct{})}
	caught := make(chan os.Signal, earlyLimit)
	signal.Notify(caught)
	go func() {
		for one := range caught {
			s.take(one)
		}
	}()
	return s
}

func (s *signals) take(one os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch one {
	case syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE: // this process's own
		return
	case syscall.SIGTERM:
		if !s.toldToStop() {
			close(s.stopped)
		}
	}
	switch {
	case s.script != nil:
		s.script.Signal(one)
	case len(s.early) < earlyLimit:
		s.early = append(s.early, one)
	}
}

// toldToStop tells whether a SIGTERM came.
func (s *signals) toldToStop() bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}

// begin starts the script and hands on what came before. It fails with errStopped
// if that was to stop.
func (s *signals) begin(script *exec.Cmd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.toldToStop() {
		return errStopped
	}
	if err := script.Start(); err != nil {
		return err
	}
	s.script = script.Process
	for _, one := range s.early {
		s.script.Signal(one)
	}
	return nil
}
