package action

import (
	"context"
	"slices"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

const maxNodesPerCall = 250 // as many as a cluster can have

// goesWithCluster refuses to take a manager's machine, also if jobs run on it.
const goesWithCluster = "is a manager, which goes with its cluster"

// naming is how requests name nodes.
type naming struct {
	list, part string // the parameters are list.N.part
	of         func(*store.Node) string
}

var (
	byID       = naming{"Instance", "Id", func(n *store.Node) string { return n.ID }}
	byHostname = naming{"Node", "Name", func(n *store.Node) string { return n.Hostname }}
)

// refusal is why something cannot be done to a node, as the end of a sentence
// that begins with its name; "" if it can.
type refusal func(*store.Node) (code api.Code, why string)

// computeNodes returns the nodes that a request names, or which of them are none
// that can be used so, and why. A manager on which jobs run is a compute node here.
func (by naming) computeNodes(ctx context.Context, tx store.Tx, c *store.Cluster, attempt string, names []string, refuse refusal) ([]*store.Node, error) {
	if len(names) == 0 || len(names) > maxNodesPerCall {
		return nil, api.InvalidParams.Errorf("cannot %s: %s has %d entries, not 1 to %d", attempt, by.list, len(names), maxNodesPerCall)
	}
	have, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	refused := refusals{attempt: attempt}
	var nodes []*store.Node
	for i, name := range names {
		at := slices.IndexFunc(have, func(n *store.Node) bool { return by.of(n) == name })
		if at < 0 {
			refused.add(api.ComputeNotFound, "%s.%d.%s: cluster %s has no node %.80q", by.list, i+1, by.part, c.ID, name)
			continue
		}
		n := have[at]
		if slices.Contains(nodes, n) {
			return nil, api.InvalidParams.Errorf("cannot %s: %s.%d.%s: %s is given twice", attempt, by.list, i+1, by.part, n.Hostname)
		}
		nodes = append(nodes, n)
		code, why := refuse(n)
		if !n.HasRole(hpc.RoleCompute) {
			code, why = api.InvalidOpt, "is no compute node"
		}
		if why != "" {
			refused.add(code, "%s.%d.%s: %s %s", by.list, i+1, by.part, n.Hostname, why)
		}
	}
	return nodes, refused.err(len(names))
}
