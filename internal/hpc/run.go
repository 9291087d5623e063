package hpc

import "time"

// Run is one execution of a job, or of one task of an array, as the agents of
// its nodes wrote it down on the cluster's volume.
type Run struct {
	Token    string
	Task     string // index within an array, "" for a plain job
	N        int    // the how manyth run of its token and task, from 1
	ID       string // the scheduler's id of the job it was started for
	Own      string // the scheduler's own id of an array's task, else ID
	Restarts int    // how often the scheduler had requeued the job before
	Host     string
	Boot     string // of the host, when the run began
	PID      int    // of the process that stands for the run
	Began    time.Time
	Ended    time.Time // zero while it runs
	ExitCode int       // 128+signal when a signal ended it
	Killed   string    // why it ended without having come to its end; "" when it did
	Stands   bool      // its end is final, whatever the scheduler knows of it
}

// Over tells whether the run goes on no more.
func (r Run) Over() bool { return !r.Ended.IsZero() }
