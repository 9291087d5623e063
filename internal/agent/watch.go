package agent

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"

	"ehpc/internal/scheduler"
)

// watchInterval is how soon the server hears of what the scheduler did.
const watchInterval = time.Second

// runsDelay is how soon the server hears that a run on this node began or ended.
const runsDelay = 100 * time.Millisecond

// Watch looks at the scheduler, while this node runs its controller, and calls
// changed when jobs or nodes are not what they were, and on every node when a
// command has ended or a job's run has begun or ended there. It returns when ctx
// ends.
func (a *Agent) Watch(ctx context.Context, changed func(context.Context) error) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	var seen sight
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.ended:
			a.tell(ctx, changed) // a server that does not hear of it asks in time
			continue
		case <-a.runs:
			select { // the scheduler has to hear of it first; what comes meanwhile is told at once
			case <-ctx.Done():
				return
			case <-time.After(runsDelay):
			}
			a.tell(ctx, changed)
			continue
		case <-tick.C:
		}
		engine, manager := a.Engine()
		if engine == nil || !manager {
			continue
		}
		now, err := look(ctx, engine.Driver(), seen.cursor)
		if err != nil {
			a.opts.Log.Debug("cannot look at the scheduler", "err", err)
			continue
		}
		if now == seen {
			continue
		}
		if a.tell(ctx, changed) {
			seen = now // else it is told again next time
		}
	}
}

func (a *Agent) tell(ctx context.Context, changed func(context.Context) error) (told bool) {
	err := changed(ctx)
	if err != nil {
		a.opts.Log.Debug("cannot tell the server of a change", "err", err)
	}
	return err == nil
}

// sight is a short form of what was seen.
type sight struct {
	cursor string
	sum    [sha256.Size]byte
}

func look(ctx context.Context, s scheduler.Driver, cursor string) (sight, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	o, err := s.Observe(ctx, cursor)
	if err != nil {
		return sight{}, err
	}
	nodes, err := s.Nodes(ctx)
	if err != nil {
		return sight{}, err
	}
	// Their loads change all the time and wake nobody.
	for i := range nodes {
		nodes[i].MemUsedMB = 0
	}
	text, err := json.Marshal([]any{o.Boot, o.Queue, nodes})
	if err != nil {
		return sight{}, err
	}
	return sight{cursor: o.Cursor, sum: sha256.Sum256(text)}, nil
}
