package hpc

import "time"

// Command is a shell command to run on nodes (spec: InvokeShellCommand).
type Command struct {
	ID      string // "c-…", the idempotency key on every node
	Content string
	Dir     string
	Timeout time.Duration
	User    string // "" is root
	Files   []CommandFile
}

// CommandFile is a file that a command finds in the directory $EHPC_FILES while
// it runs.
type CommandFile struct {
	Name    string
	Content []byte
}

// CommandStatus is how far a command is, as the API shows it.
type CommandStatus string

const (
	CommandRunning  CommandStatus = "Running"
	CommandFinished CommandStatus = "Finished" // ended by itself, whatever its exit status
	CommandFailed   CommandStatus = "Failed"   // could not be run, or its node was lost
	CommandStopped  CommandStatus = "Stopped"  // killed at its time limit
)

// CommandResult is a command's outcome on one node.
type CommandResult struct {
	Status    CommandStatus
	ExitCode  int
	Output    string // standard output and error interleaved, at most CommandOutputLimit bytes
	Truncated bool
	Finished  time.Time
}

// CommandOutputLimit bounds the output kept per node, in bytes.
const CommandOutputLimit = 64 << 10
