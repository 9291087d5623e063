package ehpctest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/link"
	"ehpc/internal/scheduler"
)

// knowFor is how long an agent waits for an account that it does not know.
const knowFor = 200 * time.Millisecond

// Stop keeps the agent from answering while its link is up, as SIGSTOP does, until
// it is called again with false.
func (a *Agent) Stop(stop bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case stop && a.stopped == nil:
		a.stopped = make(chan struct{})
	case !stop && a.stopped != nil:
		close(a.stopped)
		a.stopped = nil
	}
}

// runs waits for the agent to run.
func (a *Agent) runs(ctx context.Context) error {
	a.mu.Lock()
	stopped := a.stopped
	a.mu.Unlock()
	if stopped == nil {
		return nil
	}
	select {
	case <-stopped:
		return a.runs(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// setFor is how long an agent takes to set accounts, as long as whoever asked waits.
const setFor = 20 * time.Millisecond

// SetAccounts takes the accounts, unless it has later ones.
func (a *Agent) SetAccounts(ctx context.Context, order hpc.AccountsOrder) error {
	if err := a.runs(ctx); err != nil {
		return err
	}
	select {
	case <-time.After(setFor):
	case <-ctx.Done():
		return ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuses == nil {
		a.setAccounts(order.Turn, order.Accounts)
	}
	return a.refuses
}

// RefuseAccounts makes every order of accounts fail with the error; nil for none.
func (a *Agent) RefuseAccounts(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refuses = err
}

// setAccounts needs a.mu.
func (a *Agent) setAccounts(turn hpc.Turn, accounts []hpc.Account) {
	if turn.Before(a.turn) {
		return
	}
	a.turn, a.plan.Accounts = turn, accounts
	if a.changed != nil {
		close(a.changed)
		a.changed = nil
	}
}

// Knows waits for the account.
func (a *Agent) Knows(ctx context.Context, account hpc.AccountID) error {
	if a == nil {
		return link.ErrAbsent
	}
	patience := time.NewTimer(knowFor)
	defer patience.Stop()
	for {
		if err := a.runs(ctx); err != nil {
			return err
		}
		a.mu.Lock()
		known := slices.ContainsFunc(a.plan.Accounts, func(have hpc.Account) bool {
			return have.Name == account.Name && have.UID == account.UID
		})
		if a.changed == nil {
			a.changed = make(chan struct{})
		}
		changed := a.changed
		a.mu.Unlock()
		if known {
			return nil
		}
		select {
		case <-changed:
		case <-patience.C:
			return fmt.Errorf("%w: %s", hpc.ErrUnknownAccount, account.Name)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// knowsUID fails with hpc.ErrUnknownAccount for an account that the node does not
// know, which is not waited for.
func (a *Agent) knowsUID(uid int) error {
	if a == nil {
		return link.ErrAbsent
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if uid >= hpc.FirstUID && !slices.ContainsFunc(a.plan.Accounts, func(have hpc.Account) bool { return have.UID == uid }) {
		return fmt.Errorf("%w: uid %d", hpc.ErrUnknownAccount, uid)
	}
	return nil
}

// HoldApply keeps plans from being applied, and nothing else, until release is called.
func (a *Agent) HoldApply() (release func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holds = make(chan struct{})
	return sync.OnceFunc(func() { close(a.holds) })
}

// managerOf is the agent of the cluster's manager; nil while it does not run.
func (w *World) managerOf(clusterID string) *Agent {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.agents {
		if a.spec.ClusterID == clusterID && a.spec.Manager {
			return a
		}
	}
	return nil
}

// agentAt is the agent of the cluster's node with the hostname; nil while it does
// not run.
func (w *World) agentAt(clusterID, host string) *Agent {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.agents {
		if a.spec.ClusterID == clusterID && a.spec.Hostname == host {
			return a
		}
	}
	return nil
}

// held is a scheduler behind an agent, as far as loops and actions ask it at any
// moment.
type held struct {
	scheduler.Scheduler
	agent *Agent
}

func (h held) Submit(ctx context.Context, job hpc.JobSpec) (string, error) {
	if err := h.agent.runs(ctx); err != nil {
		return "", err
	}
	return h.Scheduler.Submit(ctx, job)
}

func (h held) Changes(ctx context.Context, cursor, sum string) (scheduler.Observation, error) {
	if err := h.agent.runs(ctx); err != nil {
		return scheduler.Observation{}, err
	}
	return h.Scheduler.Changes(ctx, cursor, sum)
}

func (h held) Nodes(ctx context.Context) ([]scheduler.Node, error) {
	if err := h.agent.runs(ctx); err != nil {
		return nil, err
	}
	return h.Scheduler.Nodes(ctx)
}

func (h held) Release(ctx context.Context, ids ...string) error {
	if err := h.agent.runs(ctx); err != nil {
		return err
	}
	return h.Scheduler.Release(ctx, ids...)
}
