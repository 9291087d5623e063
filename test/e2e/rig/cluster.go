package rig

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"ehpc/api"
)

// Limits of what tests wait for: generous, since the machine may be busy.
const (
	ComeUp = 5 * time.Minute // a cluster or nodes
	GoAway = 5 * time.Minute
)

// Cluster is a cluster of a service under test.
type Cluster struct {
	*Server
	ID string
}

// Order is what a cluster is made of.
type Order struct {
	Mode     string // DeployMode, "" for the service's default
	Managers int    // 0: as the mode has them
	Logins   int    // 0: as the mode has them
	Computes int
	Compute  string // the compute nodes' instance type, "" for a small one
}

// small is an instance type that fits many times on a small machine.
const small = "ecs.n1.tiny"

// Create makes a cluster and waits until it runs.
func (s *Server) Create(t testing.TB, name string, o Order) *Cluster {
	t.Helper()
	c := s.Ask(t, name, o)
	Until(t, "cluster "+name+" runs", ComeUp, func() bool { return c.Running(t) })
	return c
}

// Ask asks for a cluster.
func (s *Server) Ask(t testing.TB, name string, o Order) *Cluster {
	t.Helper()
	q := &api.CreateClusterRequest{Name: name, DeployMode: o.Mode}
	q.EcsOrder.Compute.Count = &o.Computes
	if o.Managers > 0 {
		q.EcsOrder.Manager.Count = &o.Managers
	}
	if o.Logins > 0 {
		q.EcsOrder.Login.Count = &o.Logins
	}
	q.EcsOrder.Manager.InstanceType, q.EcsOrder.Login.InstanceType, q.EcsOrder.Compute.InstanceType = small, small, cmp.Or(o.Compute, small)
	var a api.CreateClusterResponse
	s.Do(t, q, &a)
	return &Cluster{Server: s, ID: a.ClusterId}
}

// Running tells whether the cluster runs with every node in service. A cluster
// in trouble ends the test.
func (c *Cluster) Running(t testing.TB) bool {
	t.Helper()
	var a api.DescribeClusterResponse
	c.Do(t, &api.DescribeClusterRequest{ClusterId: c.ID}, &a)
	if a.ClusterInfo.Status == "exception" {
		t.Fatalf("cluster %s is in trouble: %s", c.ID, a.ClusterInfo.ErrorMessage)
	}
	return a.ClusterInfo.Status == "running" && c.InService(t, len(c.Nodes(t)))
}

// InService tells whether the cluster has so many nodes, all in service.
func (c *Cluster) InService(t testing.TB, count int) bool {
	t.Helper()
	nodes := c.Nodes(t)
	return len(nodes) == count && !slices.ContainsFunc(nodes, func(n api.ListNodesNodeInfo) bool { return n.Status != "running" })
}

// Nodes are the cluster's nodes, by hostname.
func (c *Cluster) Nodes(t testing.TB) []api.ListNodesNodeInfo {
	t.Helper()
	var a api.ListNodesResponse
	c.Do(t, &api.ListNodesRequest{ClusterId: c.ID, PageSize: 50, SortBy: "HostName"}, &a)
	return a.Nodes.NodeInfo
}

// Node is the node of that hostname.
func (c *Cluster) Node(t testing.TB, hostname string) api.ListNodesNodeInfo {
	t.Helper()
	nodes := c.Nodes(t)
	i := slices.IndexFunc(nodes, func(n api.ListNodesNodeInfo) bool { return n.HostName == hostname })
	if i < 0 {
		t.Fatalf("cluster %s has no node %s", c.ID, hostname)
	}
	return nodes[i]
}

// Add adds compute nodes and waits until they are in service.
func (c *Cluster) Add(t testing.TB, count int) {
	t.Helper()
	have := len(c.Nodes(t))
	c.AskNodes(t, count)
	Until(t, "the added nodes are in service", ComeUp, func() bool { return c.InService(t, have+count) })
}

// AskNodes asks for more compute nodes.
func (c *Cluster) AskNodes(t testing.TB, count int) {
	t.Helper()
	c.Do(t, &api.AddNodesRequest{ClusterId: c.ID, Count: count}, &api.AddNodesResponse{})
}

// Drop asks for nodes to be deleted.
func (c *Cluster) Drop(t testing.TB, ids ...string) {
	t.Helper()
	q := &api.DeleteNodesRequest{ClusterId: c.ID, ReleaseInstance: true}
	for _, id := range ids {
		q.Instance = append(q.Instance, api.DeleteNodesRequestInstance{Id: id})
	}
	c.Do(t, q, nil)
}

// Gone tells whether the service has no such cluster any more.
func (c *Cluster) Gone(t testing.TB) bool {
	t.Helper()
	var a api.ListClustersResponse
	c.Do(t, &api.ListClustersRequest{PageSize: 50}, &a)
	return !slices.ContainsFunc(a.Clusters.ClusterInfoSimple, func(i api.ListClustersClusterInfoSimple) bool { return i.Id == c.ID })
}

// Delete deletes the cluster and waits until it is gone.
func (c *Cluster) Delete(t testing.TB) {
	t.Helper()
	c.Do(t, &api.DeleteClusterRequest{ClusterId: c.ID}, nil)
	Until(t, "cluster "+c.ID+" is gone", GoAway, func() bool { return c.Gone(t) })
}

// Logs are the messages of the cluster's log, newest first.
func (c *Cluster) Logs(t testing.TB) []api.ListClusterLogsLogInfo {
	t.Helper()
	var lines []api.ListClusterLogsLogInfo
	for page := 1; ; page++ {
		var a api.ListClusterLogsResponse
		c.Do(t, &api.ListClusterLogsRequest{ClusterId: c.ID, PageNumber: page, PageSize: 50}, &a)
		lines = append(lines, a.Logs.LogInfo...)
		if len(a.Logs.LogInfo) == 0 || len(lines) >= a.TotalCount {
			return lines
		}
	}
}
