package reconcile

import (
	"context"
	"errors"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/plain"
	"ehpc/internal/store"
)

// lostAfter is how long a command's result is waited for past its time limit.
const lostAfter = time.Minute

// passCommands starts the commands that wait and fetches the results of those that run.
func (ctl *Control) passCommands(ctx context.Context) error {
	open, err := ctl.Store.Read().OpenCommands(ctx)
	if err != nil {
		return err
	}
	for _, o := range open {
		ctx, here := ctl.held(ctx, o.ClusterID)
		if !here {
			continue
		}
		ctl.steps.try("command "+o.ID+" "+o.NodeID, func() {
			err := settled(ctl.followCommand(ctx, o))
			if ctx.Err() == nil && ctl.said.news("command "+o.ID+" "+o.NodeID, err) {
				ctl.Log.Warn("cannot follow a command", "command", o.ID, "node", o.NodeID, "err", err)
			}
		}, func() {})
	}
	return nil
}

func (ctl *Control) followCommand(ctx context.Context, o store.OpenCommand) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	limit := time.Duration(o.Timeout) * time.Second
	node := ctl.Links.Node(o.NodeID)
	if !o.Started {
		cmd := hpc.Command{ID: o.ID, Content: o.Content, Dir: o.Dir, Timeout: limit}
		if o.Kind == store.KindPostInstall {
			var still bool
			var err error
			if cmd, still, err = ctl.scriptsCommand(ctx, o); err != nil {
				return err
			}
			if !still {
				return ctl.saveResult(ctx, o, hpc.CommandResult{Status: hpc.CommandFailed, ExitCode: -1,
					Output: "the node was made anew before the scripts ran", Finished: time.Now()})
			}
		}
		err := node.StartCommand(ctx, cmd)
		if err != nil {
			return ctl.missCommand(ctx, o, limit, err)
		}
	}
	result, err := node.CommandResult(ctx, o.ID)
	if !o.Started && (err != nil || result.Status == hpc.CommandRunning) {
		// That it was started is written in any case: it is never started twice.
		if err := ctl.saveResult(ctx, o, hpc.CommandResult{Status: hpc.CommandRunning}); err != nil {
			return err
		}
	}
	if errors.Is(err, link.ErrUnknownCommand) {
		// The node was made anew since: what ran there is lost, and a command is never run twice.
		return ctl.saveResult(ctx, o, hpc.CommandResult{Status: hpc.CommandFailed, ExitCode: -1,
			Output: "the node was made anew while the command ran", Finished: time.Now()})
	}
	if err != nil {
		return ctl.missCommand(ctx, o, limit, err)
	}
	if result.Status == hpc.CommandRunning && len(result.Output) <= o.Printed {
		return nil
	}
	if err := ctl.saveResult(ctx, o, result); err != nil || result.Status == hpc.CommandRunning {
		return err
	}
	return node.ForgetCommand(ctx, o.ID) // what is not forgotten now the node drops by itself, in time
}

// missCommand gives a command up once its node has been away past its time limit.
func (ctl *Control) missCommand(ctx context.Context, o store.OpenCommand, limit time.Duration, cause error) error {
	if time.Since(o.Created) < limit+lostAfter {
		return cause
	}
	return ctl.saveResult(ctx, o, hpc.CommandResult{Status: hpc.CommandFailed, ExitCode: -1,
		Output: "the node did not answer: " + plain.Text(cause), Finished: time.Now()})
}

func (ctl *Control) saveResult(ctx context.Context, o store.OpenCommand, r hpc.CommandResult) error {
	if o.Kind == store.KindPostInstall && r.Status != hpc.CommandRunning {
		return ctl.saveScripts(ctx, o, r)
	}
	return ctl.change(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.SaveResult(ctx, resultRow(o, r))
	})
}

func resultRow(o store.OpenCommand, r hpc.CommandResult) *store.CommandResult {
	return &store.CommandResult{CommandID: o.ID, NodeID: o.NodeID, Status: r.Status,
		Started: true, ExitCode: r.ExitCode, Output: r.Output, Finished: r.Finished}
}
