package store

import (
	"cmp"
	"context"
	"strings"
)

// nodeShape is that of whole rows: the loops look at all of a cluster's again and
// again.
var nodeShape = shape[*Node]{kind: nodeKind, first: firstNodes, changed: changedNodes, id: func(n *Node) string { return n.ID }, left: nodeIDs, compare: nodeOrder}

func nodeOrder(a, b *Node) int {
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Hostname, b.Hostname), strings.Compare(a.ID, b.ID))
}

func firstNodes(ctx context.Context, tx Tx, clusterID, behind string) (rows []*Node, err error) {
	return rows, tx.db.NewSelect().Model(&rows).Where("cluster_id = ? AND id > ?", clusterID, behind).Order("id").Limit(stepRows).Scan(ctx)
}

func changedNodes(ctx context.Context, tx Tx, clusterID string, after, upTo int64) (rows []*Node, err error) {
	return rows, tx.db.NewSelect().Model(&rows).Where("cluster_id = ? AND seq > ? AND seq <= ?", clusterID, after, upTo).Scan(ctx)
}

func nodeIDs(ctx context.Context, tx Tx, clusterID string) (ids []string, err error) {
	return ids, tx.db.NewSelect().Model((*Node)(nil)).Column("id").Where("cluster_id = ?", clusterID).Scan(ctx, &ids)
}

// Nodes is Tx.Nodes of one cluster, and reads only what has changed since it was
// asked last. The rows are the caller's, what they refer to is not.
func (s *Store) Nodes(ctx context.Context, clusterID string) (nodes []*Node, err error) {
	err = s.nodes.view(ctx, s.Read(), nodeShape, clusterID, func(all []*Node) { nodes = copies(all) })
	return nodes, err
}

// copies are of kept rows, for somebody who may change them.
func copies(kept []*Node) []*Node {
	rows, nodes := make([]Node, len(kept)), make([]*Node, len(kept))
	for i, n := range kept {
		rows[i] = *n
		nodes[i] = &rows[i]
	}
	return nodes
}
