package store

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"ehpc/internal/hpc"
)

// NewNode is the row of a node that is wanted.
func NewNode(c *Cluster, roles []hpc.Role, t hpc.InstanceType, hostname, queue string, now time.Time) *Node {
	n := &Node{ID: "i-" + strings.ToLower(rand.Text()[:20]), ClusterID: c.ID, Hostname: hostname, Roles: roles, InstanceType: t,
		ImageID: c.ImageID, CreateMode: "manual", SpotStrategy: hpc.NoSpot, Status: hpc.NodeUninit, Wanted: true, Created: now, Changed: now, Awaited: now}
	if n.HasRole(hpc.RoleCompute) {
		n.Queue = queue
	}
	return n
}

// NewComputes are the rows of further compute nodes, beside those that the
// cluster has.
func NewComputes(c *Cluster, have []*Node, count int, t hpc.InstanceType, queue, createMode string, now time.Time) []*Node {
	taken := map[string]bool{}
	for _, n := range have {
		taken[n.Hostname] = true
	}
	var nodes []*Node
	for i := 0; len(nodes) < count; i++ {
		if name := ComputeName(i); !taken[name] {
			n := NewNode(c, []hpc.Role{hpc.RoleCompute}, t, name, queue, now.Add(time.Duration(len(nodes))*time.Microsecond))
			n.CreateMode = createMode
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Successor is the row of a node that takes the place of another, beside those
// that the cluster has.
func Successor(c *Cluster, have []*Node, n *Node, now time.Time) *Node {
	next := NewComputes(c, have, 1, n.InstanceType, n.Queue, n.CreateMode, now)[0]
	next.SpotStrategy, next.SpotPriceLimit = n.SpotStrategy, n.SpotPriceLimit
	return next
}

// ComputeName is the hostname of a compute node, counted from 0.
func ComputeName(i int) string { return fmt.Sprintf("compute%03d", i) }

// Autoscale is the CreateMode of nodes that were added because jobs waited.
const Autoscale = "autoscale"
