package scheduler

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/rpc"
)

const (
	// answerLimit holds the queue at the largest supported size, in bytes.
	answerLimit   = 128 << 20
	questionLimit = 16 << 20
	callTimeout   = time.Minute
)

var kinds = rpc.Kinds{
	"unavailable": ErrUnavailable,
	"not_found":   ErrNotFound,
	"busy":        ErrBusy,
	"rejected":    ErrRejected,

	"unknown_account": hpc.ErrUnknownAccount,
}

// remote is a Scheduler on a node, seen from a server.
type remote struct{ http *http.Client }

// NewRemote speaks to a Handler through client, whose transport leads to the
// node. Failures of the link itself come back as the client's own errors: what
// was asked for may then have happened.
func NewRemote(client *http.Client) Scheduler { return remote{http: client} }

// nodeQuestion and nothing are what some questions consist of.
type (
	nodeQuestion    struct{ Node, Reason string }
	changesQuestion struct{ Cursor, Sum string }
	findQuestion    struct {
		Token string
		UID   int
	}
	nothing struct{}
)

func (r remote) call(ctx context.Context, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return kinds.Call(ctx, r.http, "http://node/scheduler/"+path, in, out, answerLimit)
}

func (r remote) Submit(ctx context.Context, job hpc.JobSpec) (string, error) {
	var id string
	if err := r.call(ctx, "submit", job, &id); err != nil {
		return "", err
	}
	if id == "" || len(id) > idLimit {
		return "", fmt.Errorf("cannot submit: the node answered with a job id of %d bytes", len(id))
	}
	return id, nil
}

func (r remote) Release(ctx context.Context, ids ...string) error {
	return r.call(ctx, "release", ids, nil)
}

func (r remote) Cancel(ctx context.Context, ids ...string) error {
	return r.call(ctx, "cancel", ids, nil)
}

func (r remote) Find(ctx context.Context, token string, uid int) ([]string, error) {
	var ids []string
	return ids, r.call(ctx, "find", findQuestion{token, uid}, &ids)
}

func (r remote) Stop(ctx context.Context, jobs ...Ref) error {
	return r.call(ctx, "stop", jobs, nil)
}

func (r remote) Runs(ctx context.Context, tokens ...string) ([]hpc.Run, error) {
	var runs bounded[hpc.Run]
	if err := r.call(ctx, "runs", tokens, &runs); err != nil {
		return nil, err
	}
	return runs, checkRuns(runs)
}

func (r remote) Died(ctx context.Context, runs ...hpc.Run) error {
	return r.call(ctx, "died", runs, nil)
}

func (r remote) Observe(ctx context.Context, cursor string) (Observation, error) {
	return r.Changes(ctx, cursor, "")
}

func (r remote) Changes(ctx context.Context, cursor, sum string) (Observation, error) {
	var a struct {
		Begun, Boot time.Time
		Queue, Ends bounded[Job]
		Cursor, Sum string
		More, Same  bool
	}
	if err := r.call(ctx, "changes", changesQuestion{cursor, sum}, &a); err != nil {
		return Observation{}, err
	}
	o := Observation{Begun: a.Begun, Boot: a.Boot, Queue: a.Queue, Ends: a.Ends, Cursor: a.Cursor,
		Sum: a.Sum, More: a.More, Same: a.Same && sum != ""}
	return o, checkObservation(o)
}

func (r remote) Nodes(ctx context.Context) ([]Node, error) {
	var nodes bounded[Node]
	if err := r.call(ctx, "nodes", nothing{}, &nodes); err != nil {
		return nil, err
	}
	return nodes, checkNodes(nodes)
}

func (r remote) Drain(ctx context.Context, node, reason string) error {
	return r.call(ctx, "drain", nodeQuestion{node, reason}, nil)
}

func (r remote) Resume(ctx context.Context, node string) error {
	return r.call(ctx, "resume", nodeQuestion{Node: node}, nil)
}

func (r remote) Down(ctx context.Context, node, reason string) error {
	return r.call(ctx, "down", nodeQuestion{node, reason}, nil)
}

func (r remote) Requeue(ctx context.Context, node, reason string) ([]string, error) {
	var ids bounded[string]
	if err := r.call(ctx, "requeue", nodeQuestion{node, reason}, &ids); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if id == "" || len(id) > idLimit {
			return nil, fmt.Errorf("cannot requeue: the node answered with a job id of %d bytes", len(id))
		}
	}
	return ids, nil
}

func (r remote) Remove(ctx context.Context, node string) error {
	return r.call(ctx, "remove", nodeQuestion{Node: node}, nil)
}
