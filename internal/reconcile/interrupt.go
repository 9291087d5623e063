package reconcile

import "errors"

var errInterrupted = errors.New("interrupted")

// Interrupt, when set by a test, is asked before and after every step; when it
// returns true the process is taken to die at that point: the step ends there
// and nothing more is written.
type Interrupt func(point string) bool

func (ctl *Control) interrupted(point string) error {
	if ctl.Interrupt != nil && ctl.Interrupt(point) {
		return errInterrupted
	}
	return nil
}
