package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// apply makes the node match the plan, step by step; each step may be repeated,
// and what a failed attempt left undone is seen by comparing, not remembered.
func (a *Agent) apply(ctx context.Context, plan hpc.NodePlan) error {
	engine := a.opts.Engines[plan.Scheduler]
	if engine == nil {
		return fmt.Errorf("this agent knows no scheduler %q", plan.Scheduler)
	}
	accounts := hpc.AccountsOrder{Accounts: plan.Accounts, Homes: plan.Self.KeepsHomes(), Turn: plan.Turn}
	if err := a.SetAccounts(ctx, accounts); err != nil {
		return err
	}
	if _, err := a.putAll(identityFiles(plan)); err != nil {
		return err
	}
	if err := a.setRootPassword(plan.Root.PasswordHash); err != nil {
		return err
	}
	files, err := engine.Files(plan)
	if err != nil {
		return err
	}
	own := set{files: files}
	if !plan.Prepare {
		own.services = engine.Services(plan)
	}
	var daemons []Daemon
	for _, s := range []set{mungeSet(plan), own, sshSet(plan)} {
		stamp, err := a.putAll(s.files)
		if err != nil {
			return err
		}
		for _, service := range s.services {
			daemons = append(daemons, Daemon{service, stamp})
		}
	}
	started, err := a.opts.Supervisor.Ensure(ctx, daemons)
	if err != nil {
		return err
	}
	if plan.Prepare {
		return nil
	}
	return a.reload(ctx, engine, plan, own, started)
}

// putAll puts the files in place. The stamp changes with those of them that
// services read only at their start.
func (a *Agent) putAll(list []scheduler.File) (stamp string, err error) {
	for _, f := range list {
		changed, err := a.files.put(f)
		if err != nil {
			return "", err
		}
		if changed {
			a.opts.Log.Info("file written", "path", f.Path)
		}
	}
	return stampOf(list, true), nil
}

func stampOf(list []scheduler.File, restart bool) string {
	sum := sha256.New()
	for _, f := range list {
		if f.Restart == restart {
			fmt.Fprintf(sum, "%s %d\n%s", f.Path, len(f.Content), f.Content)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

const reloadPath = "/var/lib/ehpc/reloaded"

// reload makes a controller that was not started anew read its changed files.
func (a *Agent) reload(ctx context.Context, engine scheduler.Engine, plan hpc.NodePlan, own set, started []string) error {
	if !plan.Self.HasRole(hpc.RoleManager) {
		return nil
	}
	stamp := stampOf(own.files, false)
	have, err := os.ReadFile(a.opts.Root + reloadPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot tell what the scheduler has read: %w", err)
	}
	if string(have) == stamp {
		return nil
	}
	if !own.allIn(started) {
		if err := engine.Changed(ctx, plan); err != nil {
			return fmt.Errorf("cannot reload the scheduler: %w", err)
		}
	}
	if err := replace(a.opts.Root+reloadPath, []byte(stamp), 0o600, 0, 0); err != nil {
		return fmt.Errorf("cannot remember what the scheduler has read: %w", err)
	}
	return nil
}

// allIn tells whether all services of the set are among those named.
func (s set) allIn(names []string) bool {
	return !slices.ContainsFunc(s.services, func(service scheduler.Service) bool {
		return !slices.Contains(names, service.Name)
	})
}
