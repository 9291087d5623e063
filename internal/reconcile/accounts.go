package reconcile

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// tellLimit is how long a node may take to be told of the accounts: it only
// writes files. One that takes longer is told again.
const tellLimit = 10 * time.Second

// passAccounts tells the nodes of every cluster which accounts there are. It asks
// neither the machines nor the scheduler, and waits for no other step of a node: a
// controller that is being started anew does not hold up who may do what.
func (ctl *Control) passAccounts(ctx context.Context) error {
	which := func(c *store.Cluster) bool { return c.Wanted }
	_, err := ctl.eachCluster(ctx, which, "accounts", tellLimit, "cannot tell the nodes of the accounts", func(within context.Context, c *store.Cluster) error {
		return ctl.spreadAccounts(within, c, func(n *store.Node, order hpc.AccountsOrder) { ctl.tellAccounts(ctx, n, order) })
	})
	return err
}

// spreadAccounts has tell called for each node that is behind, side by side: it does not
// wait for them, and what it began outlasts ctx.
func (ctl *Control) spreadAccounts(ctx context.Context, c *store.Cluster, tell func(*store.Node, hpc.AccountsOrder)) error {
	late, err := ctl.Store.Read().LateAccounts(ctx, c.ID) // before the accounts are read
	if err != nil {
		return err
	}
	order, nodes, err := ctl.accountsOrder(ctx, c.ID)
	if err != nil {
		return err
	}
	ctl.known.keep(c.ID, nodes)
	sum := hashOf(order.Accounts)
	for _, n := range nodes {
		if ctl.Links.Present(n.ID) && ctl.known.behind(n, sum) {
			ctl.steps.try("accounts "+n.ID, func() { tell(n, order) }, ctl.accounts.Wake)
		}
	}
	return ctl.noteLate(ctx, c.ID, late, nodes, func(n *store.Node) bool { return ctl.known.has(n, sum) })
}

// accountsOrder is what the rows say of a cluster's accounts, and its nodes.
func (ctl *Control) accountsOrder(ctx context.Context, clusterID string) (hpc.AccountsOrder, []*store.Node, error) {
	order := hpc.AccountsOrder{Turn: ctl.turns.next()} // before the rows are read
	accounts, _, err := ctl.Store.Read().Accounts(ctx, clusterID, store.Page{})
	if err != nil {
		return order, nil, err
	}
	for _, a := range accounts {
		order.Accounts = append(order.Accounts, a.HPC())
	}
	nodes, err := ctl.Store.Nodes(ctx, clusterID)
	return order, nodes, err
}

func (ctl *Control) tellAccounts(ctx context.Context, n *store.Node, order hpc.AccountsOrder) {
	within, cancel := context.WithTimeout(ctx, tellLimit)
	defer cancel()
	order.Homes = n.Member().KeepsHomes()
	err := ctl.telling(n, order.Turn, order.Accounts, func() error {
		return ctl.Links.Node(n.ID).SetAccounts(within, order)
	})
	if ctl.said.news("accounts "+n.ID, err) && ctx.Err() == nil {
		ctl.Log.Warn("cannot tell a node of the accounts", "cluster", n.ClusterID, "node", n.ID, "err", err)
	}
	if err != nil {
		pause(ctx, ctl.Limits.Retry)
	}
}

// applyTo sends a node its plan, with which it learns of the accounts too.
func (ctl *Control) applyTo(ctx context.Context, n *store.Node, plan hpc.NodePlan) error {
	return ctl.telling(n, plan.Turn, plan.Accounts, func() error { return ctl.Links.Node(n.ID).Apply(ctx, plan) })
}

// telling notes what a node knows once tell has told it. What becomes of a
// failure, which may have come through, is not known.
func (ctl *Control) telling(n *store.Node, turn hpc.Turn, accounts []hpc.Account, tell func() error) error {
	ctl.known.note(n, turn, "")
	if err := tell(); err != nil {
		return err
	}
	ctl.known.note(n, turn, hashOf(accounts))
	return nil
}

// Informed tells whether every node of the cluster that has been set up and can be
// reached has the accounts as the rows have them. Another server than the one that
// runs the cluster's loops does not know: false.
func (ctl *Control) Informed(ctx context.Context, clusterID string) (bool, error) {
	if _, here := ctl.held(ctx, clusterID); !here {
		return false, nil
	}
	order, nodes, err := ctl.accountsOrder(ctx, clusterID)
	if err != nil {
		return false, fmt.Errorf("cannot tell whether the nodes of cluster %s know its accounts: %w", clusterID, err)
	}
	sum := hashOf(order.Accounts)
	return !slices.ContainsFunc(nodes, func(n *store.Node) bool {
		return ctl.Links.Present(n.ID) && ctl.known.behind(n, sum)
	}), nil
}

// knowledge is what nodes know of their cluster's accounts, as far as this server
// has told them. Forgotten, they are only told once more.
type knowledge struct {
	mu sync.Mutex
	of map[string]known // by node id
}

// known is what a node was told last.
type known struct {
	clusterID string
	boot      string // of the machine that was told
	turn      hpc.Turn
	sum       string // "" while it is not known what the node has
}

// note takes down what a node was told, unless it was told of a later turn.
func (k *knowledge) note(n *store.Node, turn hpc.Turn, sum string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	last, told := k.of[n.ID]
	if told && last.boot == n.BootID && turn.Before(last.turn) {
		return
	}
	if k.of == nil {
		k.of = map[string]known{}
	}
	k.of[n.ID] = known{n.ClusterID, n.BootID, turn, sum}
}

// behind tells whether a node that has been set up is not known to have the
// accounts with the sum. One that is being set up gets them with its plan.
func (k *knowledge) behind(n *store.Node, sum string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	last, told := k.of[n.ID]
	told = told && last.boot == n.BootID
	return n.Status != hpc.NodeUninit && (told || n.Plan != "") && (!told || last.sum != sum)
}

// has tells whether a node is known to have the accounts with the sum.
func (k *knowledge) has(n *store.Node, sum string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	last := k.of[n.ID]
	return last.boot == n.BootID && last.sum == sum
}

// keep forgets the cluster's nodes that are no more.
func (k *knowledge) keep(clusterID string, nodes []*store.Node) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, last := range k.of {
		if last.clusterID == clusterID && !slices.ContainsFunc(nodes, func(n *store.Node) bool { return n.ID == id }) {
			delete(k.of, id)
		}
	}
}

// turns are those of one life of a server.
type turns struct {
	life string
	last atomic.Int64
}

// next is later than every turn before.
func (t *turns) next() hpc.Turn { return hpc.Turn{Server: t.life, Number: t.last.Add(1)} }
