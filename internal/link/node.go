// Package link is the connection between agents and servers: one outbound
// connection per agent, multiplexed, HTTP over it in both directions. It knows
// which node is at the other end and carries calls; it decides nothing.
package link

import (
	"context"
	"errors"

	"ehpc/internal/hpc"
)

// Node is what a server can ask of a node's agent. The agent implements it;
// Client is the server's view of it. Calls may be repeated.
type Node interface {
	// Apply makes the node match the plan and returns once its files are in
	// place and its services answer. The error of a service that does not come
	// up ends with the end of its log.
	Apply(ctx context.Context, plan hpc.NodePlan) error
	// SetAccounts makes the node have these accounts and no others, also while a
	// plan is being applied. What the turn says is overtaken changes nothing.
	SetAccounts(ctx context.Context, order hpc.AccountsOrder) error
	// Knows waits a few seconds for the node to know the account.
	// hpc.ErrUnknownAccount if it does not; whatever else is done as an account
	// waits, and fails, likewise.
	Knows(ctx context.Context, account hpc.AccountID) error
	// Rejoin makes a compute node register with its scheduler again. Its jobs go on.
	Rejoin(ctx context.Context) error
	// State reports on the node.
	State(ctx context.Context) (hpc.NodeState, error)
	// Health looks whether the node is sound. A file system that hangs does not
	// hold it up.
	Health(ctx context.Context) (hpc.NodeHealth, error)
	// StartCommand starts a command, once per id.
	StartCommand(ctx context.Context, cmd hpc.Command) error
	// CommandResult tells how a command stands; ErrUnknownCommand if it was never started here.
	CommandResult(ctx context.Context, id string) (hpc.CommandResult, error)
	// WriteFile writes a file as an account, inside its home or a directory that
	// the account may write, never through a link that leaves it.
	WriteFile(ctx context.Context, file AccountFile) error
	// ReadFile reads a part of a plain file inside an account's home, as the
	// account, never through a link that leaves it. What is not there is empty.
	ReadFile(ctx context.Context, part AccountPart) ([]byte, error)
	// JobPaths looks, as the account, for what would keep a job from running. It
	// tells what is certain: nothing of places that other nodes have of their own.
	JobPaths(ctx context.Context, paths JobPaths) (JobFaults, error)
	// AuthorizedKeys reads the file of keys that the account itself lets in over
	// ssh, unless others may write it. What is not there is empty.
	AuthorizedKeys(ctx context.Context, account hpc.AccountID) ([]byte, error)
	// Measurements tells what jobs used on nodes of the cluster, as far as it is
	// written down on its volume. More than hpc.MeasurementLimit are refused.
	Measurements(ctx context.Context, asked ...hpc.JobOnNode) ([]hpc.Measurement, error)
	// ForgetCommand lets the node drop what it keeps of a command whose result was
	// received; it is still not started a second time. Unknown ones are no error.
	ForgetCommand(ctx context.Context, id string) error
}

// AccountPartLimit bounds an AccountPart, in bytes: encoded, it fits an answer.
const AccountPartLimit = 500_000

// AccountPart is a part of a file to read as an account.
type AccountPart struct {
	Account      string
	UID          int
	Path         string // absolute, or relative to the account's home
	Offset, Size int64
}

// JobPaths are what a job of an account names, absolute; "" for none.
type JobPaths struct {
	Account string
	UID     int
	Script  string
	Dir     string   // that it runs in
	Outputs []string // directories of its output
}

// JobFaults are what would keep the job from running.
type JobFaults struct {
	DOSScript bool     // see hpc.DOSScript
	Missing   []string // directories that are not there
	Closed    []string // directories that the account may not use so
}

// AccountFile is a file to write as an account.
type AccountFile struct {
	Account string
	UID     int
	Path    string // absolute, or relative to the account's home
	Content []byte
}

var (
	// ErrAbsent: the node's agent is not connected.
	ErrAbsent = errors.New("the node's agent is not connected")
	// ErrUnknownCommand: the command was never started on this node.
	ErrUnknownCommand = errors.New("the command was never started on this node")
	// ErrDenied: the account may not write that file.
	ErrDenied = errors.New("the account may not write this file")
)
