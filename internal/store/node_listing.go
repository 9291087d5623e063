package store

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"ehpc/internal/hpc"
)

// NodeEntry is what listings of nodes filter and sort by.
type NodeEntry struct {
	ID       string
	Hostname string
	Roles    []hpc.Role
	Address  string
	Queue    string
	Created  time.Time
}

// HasRole tells whether the node does the role's work.
func (e *NodeEntry) HasRole(r hpc.Role) bool { return hpc.Member{Roles: e.Roles}.HasRole(r) }

var nodeShape = shape[NodeEntry]{kind: nodeKind, load: loadNodeEntries, compare: func(a, b NodeEntry) int {
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Hostname, b.Hostname), strings.Compare(a.ID, b.ID))
}}

func loadNodeEntries(ctx context.Context, tx Tx, clusterID string, after int64) ([]NodeEntry, error) {
	var rows []*Node
	err := tx.db.NewSelect().Model(&rows).Column("id", "hostname", "roles", "address", "queue", "created").
		Where("cluster_id = ? AND seq > ?", clusterID, after).Scan(ctx)
	list := make([]NodeEntry, len(rows))
	for i, n := range rows {
		list[i] = NodeEntry{ID: n.ID, Hostname: n.Hostname, Roles: n.Roles, Address: n.Address, Queue: n.Queue, Created: n.Created}
	}
	return list, err
}

// NodeListing says which nodes a listing shows, and how.
type NodeListing struct {
	Shows      func(*NodeEntry) bool
	ByHostname bool // instead of in the order they were added
	Backward   bool
}

// NodePage returns a page of a cluster's nodes and how many match.
func (s *Store) NodePage(ctx context.Context, clusterID string, l NodeListing, page Page) (shown []*Node, total int, err error) {
	var ids []string
	err = s.nodes.view(ctx, s.Read(), nodeShape, clusterID, func(all []NodeEntry) { ids, total = pickNodes(all, l, page) })
	if err != nil || len(ids) == 0 {
		return nil, total, err
	}
	q := s.read.NewSelect().Model(&shown).Where("cluster_id = ?", clusterID)
	if page.Size > 0 {
		q = q.Where("id IN (?)", bun.List(ids))
	}
	err = q.Scan(ctx)
	return inOrder(shown, ids, func(n *Node) string { return n.ID }), total, err
}

func pickNodes(all []NodeEntry, l NodeListing, page Page) (ids []string, total int) {
	picked := make([]int32, 0, len(all))
	for i := range all {
		if l.Shows(&all[i]) {
			picked = append(picked, int32(i))
		}
	}
	from, to := page.bounds(len(picked))
	window(picked, from, to, func(a, b int32) int {
		c := cmp.Compare(a, b)
		if l.ByHostname {
			c = cmp.Or(strings.Compare(all[a].Hostname, all[b].Hostname), c)
		}
		if l.Backward {
			return -c
		}
		return c
	})
	for _, i := range picked[from:to] {
		ids = append(ids, all[i].ID)
	}
	return ids, len(picked)
}
