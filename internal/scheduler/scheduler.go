// Package scheduler is the seam to batch schedulers. An Engine knows how to set
// up a scheduler's daemons on a node; its Driver talks to the running
// controller, and a Scheduler is a Driver whose jobs run once. Both run in the agents; the server speaks to the manager's through
// Remote. Nothing here is shaped by one engine.
package scheduler

import (
	"context"
	"errors"
	"time"

	"ehpc/internal/hpc"
)

var (
	// ErrUnavailable: the controller does not answer now; nothing was changed.
	ErrUnavailable = errors.New("the scheduler's controller does not answer")
	// ErrNotFound: no such job or node.
	ErrNotFound = errors.New("not known to the scheduler")
	// ErrBusy: the node still has work.
	ErrBusy = errors.New("the node is busy")
	// ErrRejected: the scheduler refused what was asked; the wrapping text says why.
	ErrRejected = errors.New("the scheduler refused")
)

// Driver talks to one running batch scheduler, in its own terms. Every method but
// Submit may be repeated. What one can do, every engine can.
type Driver interface {
	// Submit hands over a job, held: it cannot start before Release. It returns
	// the scheduler's id. Repeated, it submits the job again. Of an account that is
	// not known there a job is not taken: hpc.ErrUnknownAccount.
	Submit(ctx context.Context, job hpc.JobSpec) (id string, err error)
	// Find returns the ids of the account's jobs, queued or ended, that carry the
	// token, oldest first.
	Find(ctx context.Context, token string, uid int) (ids []string, err error)
	// Release lets held jobs start, those of a higher priority before others. One
	// that is not held stays as it is. Unknown ids are not an error.
	Release(ctx context.Context, ids ...string) error
	// Cancel ends jobs, held, pending or running. Unknown ids are not an error.
	Cancel(ctx context.Context, ids ...string) error
	// Observe returns the whole queue and the ends recorded after the cursor
	// ("" for the beginning), as many as one answer holds.
	Observe(ctx context.Context, cursor string) (Observation, error)
	// Nodes lists the compute nodes that the scheduler knows.
	Nodes(ctx context.Context) ([]Node, error)
	// Drain keeps new jobs off a node; running ones go on.
	Drain(ctx context.Context, node, reason string) error
	// Resume ends a drain or a down.
	Resume(ctx context.Context, node string) error
	// Down tells the scheduler that a node is dead: its jobs are requeued or failed now.
	Down(ctx context.Context, node, reason string) error
	// Requeue puts the jobs that run on a node back into the queue, as soon as
	// their processes have ended, and returns their ids. Those that may not run
	// again go on. What is repeated finds nothing left to do.
	Requeue(ctx context.Context, node, reason string) (ids []string, err error)
	// Move puts a node into another queue. The jobs that run on it go on.
	Move(ctx context.Context, node, queue string) error
	// Remove forgets a node. ErrBusy while it has work; unknown names are not an error.
	Remove(ctx context.Context, node string) error
}

// Scheduler is a Driver that runs every accepted job once, whatever the
// scheduler behind it forgets. All methods may be repeated.
type Scheduler interface {
	Driver
	// Changes is Observe for a caller that still has the queue of the observation
	// with this Sum ("" for none): if that is the queue still, it is left out.
	Changes(ctx context.Context, cursor, sum string) (Observation, error)
	// Stop is Cancel for jobs that are not wanted any more: should the scheduler
	// show one of them again, it does not run.
	Stop(ctx context.Context, jobs ...Ref) error
	// Runs returns what is written down of the runs of these tokens.
	Runs(ctx context.Context, tokens ...string) ([]hpc.Run, error)
	// Died tells that runs cannot go on, for their nodes are gone.
	Died(ctx context.Context, runs ...hpc.Run) error
}

// Ref names a job: by the scheduler's id, and by our token if it has one.
type Ref struct{ ID, Token string }

// Observation is what a scheduler shows at one moment.
type Observation struct {
	Begun  time.Time // before the first question was asked
	Boot   time.Time // when the controller started
	Queue  []Job     // everything pending, held, running or suspended
	Ends   []Job     // ended jobs recorded after the cursor, in order
	Cursor string    // for the next call
	More   bool      // there are more ends behind the cursor already
	Sum    string    // of the queue, from Changes
	Same   bool      // the queue is the one that the caller has, and was left out
}

// EndsLimit is how many ends an observation holds.
const EndsLimit = 10_000

// Job is a job as a scheduler reports it. An array's tasks have ids "7_1" with
// Array "7"; the part of an array that waits is one job with id "7".
type Job struct {
	ID       string
	Array    string // the array's id, "" for a plain job
	Task     string // the task's index within Array
	Own      string // the engine's own id of an array's task that has started; else "", or ID
	Token    string // ours, "" for jobs that were submitted behind our back
	Name     string
	UID      int
	Queue    string
	State    hpc.JobState
	Held     bool     // waits for a release, whoever holds it
	Closed   bool     // likewise, since what it was submitted to was closed, see hpc.Closed
	Refused  bool     // likewise, since a node would not start it
	Reason   string   // why it waits or how it failed, in the engine's words
	Nodes    []string // hostnames, expanded
	Cores    int
	Asks     Ask // while it waits
	Tasks    int // of an array's waiting part: how many there are; 0 if the engine does not tell
	AtOnce   int // likewise: how many tasks may run at the same time; 0 for any number
	Restarts int
	ExitCode int // 0-255, 128+signal when killed; of what the engine itself ended, such as by its walltime, what it tells
	Submit   time.Time
	Start    time.Time // zero before the start
	End      time.Time // zero before the end
	Priority int       // as it was submitted with; not told of ended jobs
	Dir      string
	Stdout   string   // of an array a pattern, in which %a is a task's index; "" of a job without a script
	Stderr   string   // likewise
	GivenUp  bool     // of a cancelled job: nobody asked for that, its start failed
	Run      *hpc.Run // of an ended job of ours: its last run, as it was written down
}

// Whole is the id that was answered to the submission: of an array's task, the
// array's.
func (j Job) Whole() string {
	if j.Array != "" {
		return j.Array
	}
	return j.ID
}

// Ask is what a waiting job asks for, on all nodes together. An array's waiting
// part asks for what one task does.
type Ask struct {
	Nodes    int // at least; 0 if the engine does not tell
	Cores    int
	MemoryMB int // 0 for none in particular
	GPUs     int
	Whole    bool // it shares its nodes with no other job
}

// Node is a compute node as a scheduler reports it.
type Node struct {
	Name      string
	State     NodeState
	Raw       string // the engine's own word, for ListNodes' StateInSched
	Reason    string
	Queue     string // that it serves, "" when the scheduler does not tell
	Mistaken  bool   // out of service by a mistake of the scheduler's own: it may be resumed
	Cores     int
	CoresUsed int
	MemoryMB  int
	MemUsedMB int
}

// NodeState is a scheduler's view of a node, the same for every engine.
type NodeState string

const (
	NodeIdle     NodeState = "idle"
	NodeBusy     NodeState = "busy"     // has at least one job
	NodeDraining NodeState = "draining" // takes no new jobs, still has some
	NodeDrained  NodeState = "drained"  // takes no new jobs, has none
	NodeDown     NodeState = "down"
	NodeUnknown  NodeState = "unknown" // registered, not heard of yet
)

// Engine sets up a scheduler's daemons on nodes.
type Engine interface {
	// Files are the engine's configuration files for the node of the plan.
	Files(plan hpc.NodePlan) ([]File, error)
	// Services are the daemons the node of the plan must run, in start order.
	Services(plan hpc.NodePlan) []Service
	// Changed is called on the manager after files of a running controller were
	// rewritten, to make it read them.
	Changed(ctx context.Context, plan hpc.NodePlan) error
	// Joining is the service by which a compute node registers, each time it is
	// started; "" when nodes need none.
	Joining() string
	// Driver talks to the controller on this node.
	Driver() Driver
}

// File is a file that must stand on a node.
type File struct {
	Path    string // absolute
	Content []byte
	Mode    uint32 // permission bits
	Owner   string // "user" or "user:group" by name, "" for root
	Restart bool   // the services must be restarted when it changed
}

// Service is a daemon that the node's supervisor keeps running.
type Service struct {
	Name   string
	Argv   []string // runs in the foreground
	User   string   // "" for root
	Env    []string
	Dirs   []File   // directories to make before the start (Content unused)
	Ready  []string // a command that exits 0 once the service answers; nil when running is enough
	Before []string // a command to run before every start, restarts included; nil for none
}
