package scheduler

import (
	"context"
	"fmt"
	"net/http"

	"ehpc/internal/hpc"
	"ehpc/internal/rpc"
)

// Handler serves a scheduler to NewRemote, under /scheduler/.
func Handler(s Scheduler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/scheduler/submit", serve(s.Submit))
	mux.Handle("/scheduler/release", serve(func(ctx context.Context, ids []string) (nothing, error) {
		return nothing{}, s.Release(ctx, ids...)
	}))
	mux.Handle("/scheduler/cancel", serve(func(ctx context.Context, ids []string) (nothing, error) {
		return nothing{}, s.Cancel(ctx, ids...)
	}))
	mux.Handle("/scheduler/find", serve(func(ctx context.Context, q findQuestion) ([]string, error) {
		return s.Find(ctx, q.Token, q.UID)
	}))
	mux.Handle("/scheduler/stop", serve(func(ctx context.Context, jobs []Ref) (nothing, error) {
		return nothing{}, s.Stop(ctx, jobs...)
	}))
	mux.Handle("/scheduler/runs", serve(func(ctx context.Context, tokens []string) ([]hpc.Run, error) {
		return s.Runs(ctx, tokens...)
	}))
	mux.Handle("/scheduler/died", serve(func(ctx context.Context, runs []hpc.Run) (nothing, error) {
		return nothing{}, s.Died(ctx, runs...)
	}))
	mux.Handle("/scheduler/changes", serve(func(ctx context.Context, q changesQuestion) (Observation, error) {
		return s.Changes(ctx, q.Cursor, q.Sum)
	}))
	mux.Handle("/scheduler/nodes", serve(func(ctx context.Context, _ nothing) ([]Node, error) {
		return s.Nodes(ctx)
	}))
	mux.Handle("/scheduler/drain", serve(func(ctx context.Context, q nodeQuestion) (nothing, error) {
		return nothing{}, s.Drain(ctx, q.Node, q.Reason)
	}))
	mux.Handle("/scheduler/resume", serve(func(ctx context.Context, q nodeQuestion) (nothing, error) {
		return nothing{}, s.Resume(ctx, q.Node)
	}))
	mux.Handle("/scheduler/down", serve(func(ctx context.Context, q nodeQuestion) (nothing, error) {
		return nothing{}, s.Down(ctx, q.Node, q.Reason)
	}))
	mux.Handle("/scheduler/requeue", serve(func(ctx context.Context, q nodeQuestion) ([]string, error) {
		return s.Requeue(ctx, q.Node, q.Reason)
	}))
	mux.Handle("/scheduler/move", serve(func(ctx context.Context, q moveQuestion) (nothing, error) {
		return nothing{}, s.Move(ctx, q.Node, q.Queue)
	}))
	mux.Handle("/scheduler/remove", serve(func(ctx context.Context, q nodeQuestion) (nothing, error) {
		return nothing{}, s.Remove(ctx, q.Node)
	}))
	return mux
}

func serve[In, Out any](fn func(context.Context, In) (Out, error)) http.Handler {
	return rpc.Handle(kinds, questionLimit, func(ctx context.Context, in In) (Out, error) {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return fn(ctx, in)
	})
}

// Unavailable answers everything with ErrUnavailable, for nodes that run no
// controller, or none yet.
func Unavailable() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		kinds.Fail(w, http.StatusServiceUnavailable, fmt.Errorf("this node runs no controller: %w", ErrUnavailable))
	})
}
