package store

import (
	"cmp"
	"context"
	"strings"
)

// rowShape is that of the rows themselves, for those who look at all of a cluster's
// again and again.
var rowShape = shape[*Node]{kind: nodeKind, load: loadNodes, id: func(n *Node) string { return n.ID }, ids: nodeIDs, compare: func(a, b *Node) int {
	return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Hostname, b.Hostname), strings.Compare(a.ID, b.ID))
}}

func loadNodes(ctx context.Context, tx Tx, clusterID string, after int64) (rows []*Node, err error) {
	return rows, tx.db.NewSelect().Model(&rows).Where("cluster_id = ? AND seq > ?", clusterID, after).Scan(ctx)
}

func nodeIDs(ctx context.Context, tx Tx, clusterID string) (ids []string, err error) {
	return ids, tx.db.NewSelect().Model((*Node)(nil)).Column("id").Where("cluster_id = ?", clusterID).Scan(ctx, &ids)
}

// Nodes is Tx.Nodes of one cluster, and reads only what has changed since it was
// asked last. The rows are the caller's, what they refer to is not.
func (s *Store) Nodes(ctx context.Context, clusterID string) (nodes []*Node, err error) {
	err = s.rows.view(ctx, s.Read(), rowShape, clusterID, func(all []*Node) {
		rows := make([]Node, len(all))
		nodes = make([]*Node, len(all))
		for i, n := range all {
			rows[i] = *n
			nodes[i] = &rows[i]
		}
	})
	return nodes, err
}
