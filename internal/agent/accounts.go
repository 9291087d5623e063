package agent

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"ehpc/internal/hpc"
)

// knowFor is how long an account is waited for that the node does not know: its
// order may be on the way, or waits for its turn.
const knowFor = 5 * time.Second

// roster guards the node's account files. They have a lock of their own: what a
// plan sets up besides may take minutes, and accounts do not wait for it.
type roster struct {
	setting sync.Mutex // while they change, and while they are looked at
	turn    hpc.Turn   // of the last order

	mu      sync.Mutex
	changed chan struct{} // closed at the next change; nil if nobody waits
}

// next is closed once the accounts have changed.
func (s *roster) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

func (s *roster) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// SetAccounts implements link.Node.
func (a *Agent) SetAccounts(ctx context.Context, order hpc.AccountsOrder) error {
	a.accounts.setting.Lock()
	defer a.accounts.setting.Unlock()
	if err := ctx.Err(); err != nil {
		return err // whoever sent it is gone, and may have sent another since
	}
	if order.Turn.Before(a.accounts.turn) {
		return nil
	}
	a.accounts.turn = order.Turn
	defer a.accounts.tell()
	if _, err := a.putAll(accountFiles(order.Accounts)); err != nil {
		return err
	}
	if err := a.evict(order.Accounts); err != nil {
		return err
	}
	if !order.Homes {
		return nil
	}
	return a.makeHomes(order.Accounts)
}

// Knows implements link.Node.
func (a *Agent) Knows(ctx context.Context, account hpc.AccountID) error {
	_, err := a.account(ctx, account)
	return err
}

// account is the account as this node knows it, and is waited for.
func (a *Agent) account(ctx context.Context, id hpc.AccountID) (user, error) {
	patience := time.NewTimer(knowFor)
	defer patience.Stop()
	for {
		changed := a.accounts.next()
		u, err := a.accountNow(id)
		if !errors.Is(err, hpc.ErrUnknownAccount) {
			return u, err
		}
		select {
		case <-changed:
		case <-patience.C:
			return u, err
		case <-ctx.Done():
			return u, err
		}
	}
}

func (a *Agent) accountNow(id hpc.AccountID) (user, error) {
	a.accounts.setting.Lock()
	defer a.accounts.setting.Unlock()
	u, err := a.files.user(id.Name)
	if errors.Is(err, errNoUser) || err == nil && u.uid != id.UID {
		return user{}, fmt.Errorf("%w: %s", hpc.ErrUnknownAccount, id.Name)
	}
	return u, err
}

// knowsUID fails with hpc.ErrUnknownAccount unless an account of the node has the
// uid. It does not wait: who asks, asks again.
func (a *Agent) knowsUID(uid int) error {
	known, text := false, strconv.Itoa(uid)
	for _, file := range userFiles {
		err := a.files.each(file, 7, func(fields []string) { known = known || fields[2] == text })
		if err != nil {
			return err
		}
	}
	if !known {
		return fmt.Errorf("%w: uid %d", hpc.ErrUnknownAccount, uid)
	}
	return nil
}
