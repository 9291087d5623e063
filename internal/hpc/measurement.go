package hpc

import "time"

// Measurement is what a job used on one node, as the node's agent measured it on
// the job's control groups. What nobody measured is not there, and never zero.
type Measurement struct {
	Job   string // the scheduler's own id; of an array's task, the task's
	Host  string
	Parts []Used // in the order they began
	Final bool   // nothing of the job is on the node any more
}

// Used is what a job used on a node in one stretch of time: from when its control
// group was first seen until it was gone. A job that was put back into the queue
// has a part for each of its runs there.
type Used struct {
	Began, Ended time.Time // Ended is when it was last seen
	CPU          time.Duration
	Memory       int64  // the highest, in bytes
	Energy       *int64 `json:",omitempty"` // in millijoules; nil where the machine does not tell
}

// JobOnNode names a measurement.
type JobOnNode struct{ Job, Host string }

// MeasurementLimit is how many measurements one question may ask for, and
// PartsLimit how many parts one has.
const (
	MeasurementLimit = 256
	PartsLimit       = 16
)

// Plausible tells whether the figures can be ones. Those of a node's agent are:
// but root on a node writes what it likes.
func (u Used) Plausible() bool {
	const most = 1 << 60
	return !u.Ended.Before(u.Began) && u.CPU >= 0 && u.CPU < most && u.Memory >= 0 && u.Memory < most &&
		(u.Energy == nil || *u.Energy >= 0 && *u.Energy < most)
}

// Join makes one stretch of two: what was used adds up, but for the memory.
func (u Used) Join(next Used) Used {
	u.Ended = next.Ended
	u.CPU += next.CPU
	u.Memory = max(u.Memory, next.Memory)
	switch {
	case u.Energy == nil:
		u.Energy = next.Energy
	case next.Energy != nil:
		sum := *u.Energy + *next.Energy
		u.Energy = &sum
	}
	return u
}
