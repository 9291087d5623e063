package hpc

import "time"

// JobState is a job's state as the API shows it, the same for every engine.
type JobState string

const (
	JobAccepted   JobState = "ACCEPTED"      // in the store, not handed to the scheduler yet
	JobPending    JobState = "PENDING"       // waits for resources or is held
	JobRunning    JobState = "RUNNING"       // on its nodes
	JobCompleting JobState = "COMPLETING"    // ended, being cleaned up
	JobSuspended  JobState = "SUSPENDED"     // stopped for now
	JobCompleted  JobState = "COMPLETED"     // exit status 0
	JobFailed     JobState = "FAILED"        // any other exit status
	JobCancelled  JobState = "CANCELLED"     // by its owner or an administrator
	JobTimeout    JobState = "TIMEOUT"       // over its walltime
	JobOOM        JobState = "OUT_OF_MEMORY" // over its memory
	JobNodeFail   JobState = "NODE_FAIL"     // lost its node
)

// Ended tells whether a job in this state will never run again by itself.
func (s JobState) Ended() bool {
	switch s {
	case JobCompleted, JobFailed, JobCancelled, JobTimeout, JobOOM, JobNodeFail:
		return true
	}
	return false
}

// ExitNotLaunched is the exit status of a job that could not be started on its
// node: its working directory, or the directory of its output, is not there.
const ExitNotLaunched = 128 + 53 // as Slurm has it, a signal that there is not

// JobSpec is a job as handed to a scheduler.
type JobSpec struct {
	Token     string // ours, unguessable, lower case; marks the job in the scheduler's records
	Attempt   int    // how often it was submitted before, as far as is known lost
	Name      string
	Account   string // the user it runs as
	UID       int
	Script    string // a complete batch script, starting with "#!"
	Dir       string // working directory, absolute
	Stdout    string // absolute, "" for the engine's default in Dir
	Stderr    string // absolute, "" to join Stdout
	Queue     string // "" for the default queue
	Nodes     int    // 0 means 1
	Tasks     int    // per node, 0 means 1
	Threads   int    // cores per task, 0 means 1
	MemoryMB  int    // per node, 0 for the engine's default
	GPUs      int    // per node
	Walltime  time.Duration
	Array     string // "1-10:2", "" for none
	Rerunable bool
	Priority  int // of jobs that wait, a higher one starts first
	Env       []EnvVar
}

// EnvVar is one environment variable; order is kept.
type EnvVar struct{ Name, Value string }
