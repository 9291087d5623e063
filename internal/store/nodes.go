package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// Node is a row of nodes. The row is there from the moment the node is wanted
// until its machine is gone.
type Node struct {
	bun.BaseModel `bun:"table:nodes"`

	ID             string `bun:",pk"`
	ClusterID      string
	Rev            int64
	Hostname       string
	Roles          []hpc.Role       `bun:",type:text"`
	InstanceType   hpc.InstanceType `bun:",type:text"` // as it was when the node was asked for
	ImageID        string
	Queue          string
	CreateMode     string // manual or Autoscale
	SpotStrategy   hpc.SpotStrategy
	SpotPriceLimit float64 // per hour, of SpotWithPriceLimit
	Status         hpc.NodeStatus
	Reason         string    // why it is in exception, or what it waits for
	Wanted         bool      // false once it is to be removed
	Force          bool      // remove it even while it is busy
	DrainUntil     time.Time `bun:",nullzero"` // when it is removed though it is busy
	Address        string
	BootID         string // of the machine that was last set up
	Plan           string // hash of the plan its agent applied last
	SchedState     string // the scheduler's own word
	CoresUsed      int
	MemoryUsed     int       // MB
	Attempts       int       // failures in a row of its present step
	RetryAt        time.Time `bun:",nullzero"`
	Created        time.Time
	Changed        time.Time // of Status
	Awaited        time.Time `bun:",nullzero"` // since when it is not in service and should be
	Idle           int       // checks in a row that found it without work
	Resets         int       // how often it was made anew for not being in service in time
	Reclaim        time.Time `bun:",nullzero"` // when its machine is taken back, or was
	ReclaimPhase   hpc.ReclaimPhase
	ReclaimReason  string
	Health         Health `bun:"embed:health_"`
	Seq            int64  // of its last change, in the cluster's listing
}

// HasRole tells whether the node does the role's work.
func (n *Node) HasRole(r hpc.Role) bool { return n.Member().HasRole(r) }

// Member is the node as the others of its cluster know it.
func (n *Node) Member() hpc.Member {
	return hpc.Member{ID: n.ID, Hostname: n.Hostname, Address: n.Address, Roles: n.Roles,
		Cores: n.InstanceType.Cores, MemoryMB: n.InstanceType.MemoryMB, GPUs: n.InstanceType.GPUs, Queue: n.Queue}
}

// InsertNodes adds nodes; ErrConflict when a hostname is taken.
func (tx Tx) InsertNodes(ctx context.Context, nodes []*Node) error {
	if len(nodes) == 0 {
		return nil
	}
	seqs := map[string]int64{} // one change for all of a cluster's
	for _, n := range nodes {
		if seqs[n.ClusterID] == 0 {
			seq, err := tx.next(ctx, n.ClusterID, nodeKind, 0)
			if err != nil {
				return err
			}
			seqs[n.ClusterID] = seq
		}
		n.Seq = seqs[n.ClusterID]
	}
	_, err := tx.db.NewInsert().Model(&nodes).Exec(ctx)
	return err
}

// Nodes returns a cluster's nodes ("" for every cluster's), in the order they were added.
func (tx Tx) Nodes(ctx context.Context, clusterID string) ([]*Node, error) {
	var rows []*Node
	q := tx.db.NewSelect().Model(&rows).Order("created", "hostname")
	if clusterID != "" {
		q = q.Where("cluster_id = ?", clusterID)
	}
	return rows, q.Scan(ctx)
}

// UnmadeTypes returns the types of all nodes that are wanted and have no machine,
// of the clusters of one home.
func (tx Tx) UnmadeTypes(ctx context.Context, home string) ([]hpc.InstanceType, error) {
	var rows []*Node
	err := tx.db.NewSelect().Model(&rows).Column("instance_type").
		Where("wanted AND address = '' AND cluster_id IN (SELECT id FROM clusters WHERE home = ? AND deleted IS NULL)", home).Scan(ctx)
	types := make([]hpc.InstanceType, len(rows))
	for i, n := range rows {
		types[i] = n.InstanceType
	}
	return types, err
}

// NodesOf returns the nodes that are wanted of an owner's clusters.
func (tx Tx) NodesOf(ctx context.Context, owner string) ([]*Node, error) {
	var rows []*Node
	err := tx.db.NewSelect().Model(&rows).
		Where("wanted = TRUE AND cluster_id IN (SELECT id FROM clusters WHERE owner = ? AND deleted IS NULL)", owner).Scan(ctx)
	return rows, err
}

// updateNode changes a node's row as set says; ErrConflict when it is not there,
// or not as set wants it.
func (tx Tx) updateNode(ctx context.Context, n *Node, set func(*bun.UpdateQuery)) error {
	seq, err := tx.next(ctx, n.ClusterID, nodeKind, 0)
	if err != nil {
		return err
	}
	q := tx.db.NewUpdate().Model((*Node)(nil)).Set("seq = ?", seq).Where("id = ?", n.ID)
	set(q)
	return one(q.Exec(ctx))
}

func (tx Tx) node(ctx context.Context, id string) (*Node, error) {
	n := new(Node)
	return n, notFound(tx.db.NewSelect().Model(n).Where("id = ?", id).Scan(ctx))
}

// StepNode moves a node's status; ErrConflict when it has another meanwhile. A
// retry time that is not zero keeps the reconciler off it until then.
func (tx Tx) StepNode(ctx context.Context, n *Node, to hpc.NodeStatus, reason string, now, retry time.Time) error {
	if to == hpc.NodeUninit { // it has no machine any more
		if err := tx.EndSpan(ctx, n.ID, now); err != nil {
			return err
		}
	}
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) {
		if to == hpc.NodeUninit {
			q.Set("health_cause = ''").Set("health_reason = ''").Set("health_in_row = 0").Set("health_since = ?", now).Set("health_replacing = ?", false)
		}
		switch {
		case to == hpc.NodeRunning:
			q.Set("awaited = NULL").Set("resets = 0").Set("idle = 0")
		case n.Status == hpc.NodeRunning:
			q.Set("awaited = ?", now)
		}
		q.Set("rev = rev + 1").Set("status = ?", to).Set("reason = ?", reason).
			Set("address = ?", n.Address).Set("boot_id = ?", n.BootID).Set("plan = ?", n.Plan).
			Set("attempts = 0").Set("retry_at = ?", bun.NullTime{Time: retry}).Set("changed = ?", now).
			Where("status = ?", n.Status)
	})
}

// RetryNode notes a failed attempt at a node's present step.
func (tx Tx) RetryNode(ctx context.Context, n *Node, reason string, at time.Time) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) {
		q.Set("rev = rev + 1").Set("attempts = attempts + 1").Set("retry_at = ?", at).Set("reason = ?", reason).Where("status = ?", n.Status)
	})
}

// NotePlan records that a node's agent applied a plan.
func (tx Tx) NotePlan(ctx context.Context, n *Node, plan string) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) { q.Set("rev = rev + 1").Set("plan = ?", plan) })
}

// NoteSched records what the scheduler says of a node.
func (tx Tx) NoteSched(ctx context.Context, n *Node, state string, cores, memoryMB int) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) {
		q.Set("sched_state = ?", state).Set("cores_used = ?", cores).Set("memory_used = ?", memoryMB)
	})
}

// MoveNode puts a node into another queue.
func (tx Tx) MoveNode(ctx context.Context, n *Node, queue string, now time.Time) error {
	if queue != n.Queue {
		if err := tx.TurnSpan(ctx, n.ID, now, func(s *NodeSpan) { s.Queue = queue }); err != nil {
			return err
		}
	}
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) { q.Set("rev = rev + 1").Set("queue = ?", queue) })
}

// UnwantNode marks a node for removal, with force even while it is busy.
func (tx Tx) UnwantNode(ctx context.Context, n *Node, force bool, now time.Time) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) {
		q.Set("rev = rev + 1").Set("wanted = ?", false).Set("force = ?", force).
			Set("status = ?", hpc.NodeReleasing).Set("attempts = 0").Set("retry_at = NULL").Set("changed = ?", now)
	})
}

// LimitDrain says until when a node that is to go waits for its jobs.
func (tx Tx) LimitDrain(ctx context.Context, n *Node, until time.Time) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) {
		q.Set("rev = rev + 1").Set("drain_until = ?", bun.NullTime{Time: until}).Where("NOT wanted")
	})
}

// ForceNode has a node that is to go wait for its jobs no longer.
func (tx Tx) ForceNode(ctx context.Context, n *Node) error {
	return tx.updateNode(ctx, n, func(q *bun.UpdateQuery) {
		q.Set("rev = rev + 1").Set("force = ?", true).Set("attempts = 0").Set("retry_at = NULL").Where("NOT wanted")
	})
}

// DropNode forgets a node whose machine is gone; ErrNotFound when that was done.
func (tx Tx) DropNode(ctx context.Context, id string, now time.Time) error {
	if err := tx.EndSpan(ctx, id, now); err != nil {
		return err
	}
	var clusterID string
	err := notFound(tx.db.NewDelete().Model((*Node)(nil)).Where("id = ?", id).Returning("cluster_id").Scan(ctx, &clusterID))
	if err == nil {
		_, err = tx.next(ctx, clusterID, nodeKind, 1)
	}
	return err
}
