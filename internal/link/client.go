package link

import (
	"context"
	"net/http"
	"slices"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/rpc"
)

// What a node's answers may weigh, in bytes. A command's output is escaped in
// JSON, six bytes for one at worst.
const (
	answerLimit   = 1 << 20
	questionLimit = 64 << 20
)

// applyTimeout and callTimeout bound calls whose caller set no nearer deadline.
const (
	applyTimeout = 5 * time.Minute
	callTimeout  = 30 * time.Second
)

var kinds = rpc.Kinds{
	"absent":          ErrAbsent,
	"unknown_command": ErrUnknownCommand,
	"denied":          ErrDenied,
	"unknown_account": hpc.ErrUnknownAccount,
}

// nothing is the question or answer of a call that has none.
type nothing struct{}

// Client is a Node at the other end of an HTTP client.
type Client struct{ http *http.Client }

var _ Node = (*Client)(nil)

// NewClient speaks to a Handler through client, whose transport leads to the node.
func NewClient(client *http.Client) *Client { return &Client{http: client} }

func (c *Client) call(ctx context.Context, limit time.Duration, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return kinds.Call(ctx, c.http, "http://node/node/"+path, in, out, answerLimit)
}

// Apply implements Node.
func (c *Client) Apply(ctx context.Context, plan hpc.NodePlan) error {
	return c.call(ctx, applyTimeout, "apply", plan, nil)
}

// SetAccounts implements Node.
func (c *Client) SetAccounts(ctx context.Context, order hpc.AccountsOrder) error {
	return c.call(ctx, callTimeout, "set-accounts", order, nil)
}

// Knows implements Node.
func (c *Client) Knows(ctx context.Context, account hpc.AccountID) error {
	return c.call(ctx, callTimeout, "knows", account, nil)
}

// Rejoin implements Node.
func (c *Client) Rejoin(ctx context.Context) error {
	return c.call(ctx, callTimeout, "rejoin", nothing{}, nil)
}

// State implements Node.
func (c *Client) State(ctx context.Context) (hpc.NodeState, error) {
	var state hpc.NodeState
	err := c.call(ctx, callTimeout, "state", nothing{}, &state)
	return state, err
}

// Health implements Node.
func (c *Client) Health(ctx context.Context) (hpc.NodeHealth, error) {
	var health hpc.NodeHealth
	err := c.call(ctx, callTimeout, "health", nothing{}, &health)
	return health, err
}

// StartCommand implements Node.
func (c *Client) StartCommand(ctx context.Context, cmd hpc.Command) error {
	return c.call(ctx, callTimeout, "start-command", cmd, nil)
}

// CommandResult implements Node. More output than hpc.CommandOutputLimit, which
// an honest agent never sends, is cut.
func (c *Client) CommandResult(ctx context.Context, id string) (hpc.CommandResult, error) {
	var result hpc.CommandResult
	err := c.call(ctx, callTimeout, "command-result", id, &result)
	if len(result.Output) > hpc.CommandOutputLimit {
		result.Output, result.Truncated = result.Output[:hpc.CommandOutputLimit], true
	}
	return result, err
}

// WriteFile implements Node.
func (c *Client) WriteFile(ctx context.Context, file AccountFile) error {
	return c.call(ctx, callTimeout, "write-file", file, nil)
}

// ReadFile implements Node. More than was asked for, which an honest agent never
// sends, is cut.
func (c *Client) ReadFile(ctx context.Context, part AccountPart) ([]byte, error) {
	var content []byte
	err := c.call(ctx, callTimeout, "read-file", part, &content)
	return content[:min(int64(len(content)), part.Size)], err
}

// JobPaths implements Node.
func (c *Client) JobPaths(ctx context.Context, paths JobPaths) (JobFaults, error) {
	var faults JobFaults
	err := c.call(ctx, callTimeout, "job-paths", paths, &faults)
	return faults, err
}

// AuthorizedKeys implements Node.
func (c *Client) AuthorizedKeys(ctx context.Context, account hpc.AccountID) ([]byte, error) {
	var keys []byte
	err := c.call(ctx, callTimeout, "authorized-keys", account, &keys)
	return keys, err
}

// Measurements implements Node. What was not asked for, which an honest agent
// never sends, is left out, and so are more parts than there can be.
func (c *Client) Measurements(ctx context.Context, asked ...hpc.JobOnNode) ([]hpc.Measurement, error) {
	var all []hpc.Measurement
	err := c.call(ctx, callTimeout, "measurements", asked, &all)
	open := map[hpc.JobOnNode]bool{}
	for _, q := range asked {
		open[q] = true
	}
	return slices.DeleteFunc(all, func(m hpc.Measurement) bool {
		q := hpc.JobOnNode{Job: m.Job, Host: m.Host}
		strange := !open[q] || len(m.Parts) > hpc.PartsLimit || slices.ContainsFunc(m.Parts, func(u hpc.Used) bool { return !u.Plausible() })
		open[q] = false
		return strange
	}), err
}

// ForgetCommand implements Node.
func (c *Client) ForgetCommand(ctx context.Context, id string) error {
	return c.call(ctx, callTimeout, "forget-command", id, nil)
}

// Handler serves a node to Client. extra maps further path prefixes, such as
// "/scheduler/", to their handlers.
func Handler(n Node, extra map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/node/apply", serve(func(ctx context.Context, plan hpc.NodePlan) (nothing, error) {
		return nothing{}, n.Apply(ctx, plan)
	}))
	mux.Handle("/node/set-accounts", serve(func(ctx context.Context, order hpc.AccountsOrder) (nothing, error) {
		return nothing{}, n.SetAccounts(ctx, order)
	}))
	mux.Handle("/node/knows", serve(func(ctx context.Context, account hpc.AccountID) (nothing, error) {
		return nothing{}, n.Knows(ctx, account)
	}))
	mux.Handle("/node/rejoin", serve(func(ctx context.Context, _ nothing) (nothing, error) {
		return nothing{}, n.Rejoin(ctx)
	}))
	mux.Handle("/node/state", serve(func(ctx context.Context, _ nothing) (hpc.NodeState, error) {
		return n.State(ctx)
	}))
	mux.Handle("/node/health", serve(func(ctx context.Context, _ nothing) (hpc.NodeHealth, error) {
		return n.Health(ctx)
	}))
	mux.Handle("/node/start-command", serve(func(ctx context.Context, cmd hpc.Command) (nothing, error) {
		return nothing{}, n.StartCommand(ctx, cmd)
	}))
	mux.Handle("/node/command-result", serve(n.CommandResult))
	mux.Handle("/node/write-file", serve(func(ctx context.Context, file AccountFile) (nothing, error) {
		return nothing{}, n.WriteFile(ctx, file)
	}))
	mux.Handle("/node/read-file", serve(n.ReadFile))
	mux.Handle("/node/job-paths", serve(n.JobPaths))
	mux.Handle("/node/authorized-keys", serve(n.AuthorizedKeys))
	mux.Handle("/node/measurements", serve(func(ctx context.Context, asked []hpc.JobOnNode) ([]hpc.Measurement, error) {
		return n.Measurements(ctx, asked...)
	}))
	mux.Handle("/node/forget-command", serve(func(ctx context.Context, id string) (nothing, error) {
		return nothing{}, n.ForgetCommand(ctx, id)
	}))
	for prefix, handler := range extra {
		mux.Handle(prefix, handler)
	}
	return mux
}

func serve[In, Out any](fn func(context.Context, In) (Out, error)) http.Handler {
	return rpc.Handle(kinds, questionLimit, fn)
}
