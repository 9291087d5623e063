package action

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// nodeFilter says which nodes a listing shows.
type nodeFilter struct {
	role, pattern, prefix, suffix, address, queue string
	detached                                      bool
	sortBy, sequence                              string // as asked for
}

// ListNodes shows a page of a cluster's nodes.
func (s *Service) ListNodes(ctx context.Context, q *api.ListNodesRequest) (*api.ListNodesResponse, error) {
	nodes, total, c, err := s.listNodes(ctx, q.ClusterId, nodeFilter{role: q.Role, pattern: q.HostName, detached: q.OnlyDetached,
		prefix: q.HostNamePrefix, suffix: q.HostNameSuffix, address: q.PrivateIpAddress, sortBy: q.SortBy, sequence: q.Sequence},
		store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	a := &api.ListNodesResponse{TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize}
	setUp, err := s.setUp(ctx, c, nodes)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		i := s.nodeInfo(c, n)
		i.WaitsFor = setUp.waitsFor(n)
		a.Nodes.NodeInfo = append(a.Nodes.NodeInfo, i)
	}
	return a, nil
}

// ListNodesNoPaging shows all of a cluster's nodes.
func (s *Service) ListNodesNoPaging(ctx context.Context, q *api.ListNodesNoPagingRequest) (*api.ListNodesNoPagingResponse, error) {
	nodes, _, c, err := s.listNodes(ctx, q.ClusterId, nodeFilter{role: q.Role, pattern: q.HostName, detached: q.OnlyDetached,
		sequence: q.Sequence}, store.Page{})
	if err != nil {
		return nil, err
	}
	setUp, err := s.setUp(ctx, c, nodes)
	if err != nil {
		return nil, err
	}
	a := &api.ListNodesNoPagingResponse{}
	for _, n := range nodes {
		i := s.nodeInfo(c, n)
		a.Nodes.NodeInfo = append(a.Nodes.NodeInfo, api.ListNodesNoPagingNodeInfo{
			Id: i.Id, RegionId: i.RegionId, Status: i.Status, CreatedByEhpc: i.CreatedByEhpc, AddTime: i.AddTime,
			SpotStrategy: i.SpotStrategy, WaitsFor: setUp.waitsFor(n), LockReason: i.LockReason,
			ImageOwnerAlias: i.ImageOwnerAlias, ImageId: i.ImageId, Location: i.Location,
			Roles:          api.ListNodesNoPagingRoles(i.Roles),
			TotalResources: (*api.ListNodesNoPagingTotalResources)(i.TotalResources),
			UsedResources:  (*api.ListNodesNoPagingUsedResources)(i.UsedResources),
			HostName:       i.HostName, InstanceType: i.InstanceType})
	}
	return a, nil
}

// ListNodesByQueue shows a page of a queue's nodes.
func (s *Service) ListNodesByQueue(ctx context.Context, q *api.ListNodesByQueueRequest) (*api.ListNodesByQueueResponse, error) {
	nodes, total, c, err := s.listNodes(ctx, q.ClusterId, nodeFilter{queue: q.QueueName}, store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	queues, err := s.Store.Read().Queues(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(queues, func(row *store.Queue) bool { return row.Name == q.QueueName }) {
		return nil, api.ObjectNotFound.Errorf("cannot list nodes: QueueName %q does not exist in cluster %s", q.QueueName, c.ID)
	}
	images, err := s.Images()
	if err != nil {
		return nil, fmt.Errorf("cannot list nodes: %w", err)
	}
	a := &api.ListNodesByQueueResponse{TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize}
	for _, n := range nodes {
		i := s.nodeInfo(c, n)
		a.Nodes.NodeInfo = append(a.Nodes.NodeInfo, api.ListNodesByQueueNodeInfo{
			Id: i.Id, RegionId: i.RegionId, Status: i.Status, CreatedByEhpc: i.CreatedByEhpc, AddTime: i.AddTime,
			SpotStrategy: i.SpotStrategy, LockReason: i.LockReason, ImageOwnerAlias: i.ImageOwnerAlias, ImageId: i.ImageId, Location: i.Location,
			CreateMode: i.CreateMode, HostName: i.HostName, VSwitchId: i.VSwitchId, VpcId: i.VpcId, ZoneId: i.ZoneId,
			TotalResources: (*api.ListNodesByQueueTotalResources)(i.TotalResources),
			UsedResources:  (*api.ListNodesByQueueUsedResources)(i.UsedResources),
			IpAddress:      i.IpAddress, StateInSched: i.StateInSched, Version: i.Version,
			IpInfo: ipInfo(n), InstanceInfo: instanceInfo(c, n, i, images)})
	}
	return a, nil
}

func (s *Service) listNodes(ctx context.Context, clusterID string, f nodeFilter, page store.Page) (nodes []*store.Node, total int, c *store.Cluster, err error) {
	if c, err = s.cluster(ctx, s.Store.Read(), clusterID); err != nil {
		return nil, 0, nil, err
	}
	pattern, err := regexp.Compile("(?i)" + f.pattern) // as MySQL's (spec: ListNodes, HostName)
	if err != nil {
		return nil, 0, nil, api.InvalidParams.Errorf("cannot list nodes: HostName %q is no regular expression: %v", f.pattern, err)
	}
	listing := store.NodeListing{ByHostname: strings.EqualFold(f.sortBy, "HostName"), Backward: strings.EqualFold(f.sequence, "Backward"),
		Shows: func(n *store.Node) bool {
			return f.shows(n) && (f.pattern == "" || pattern.MatchString(n.Hostname))
		}}
	err = list(ctx, "nodes", clusterID, func(ctx context.Context) error {
		nodes, total, err = s.Store.NodePage(ctx, clusterID, listing, page)
		return err
	})
	if err != nil {
		return nil, 0, nil, err
	}
	return nodes, total, c, s.tellHalts(ctx, c, nodes)
}

func (f nodeFilter) shows(n *store.Node) bool {
	return f.showsRole(n) && !f.detached && // every node here is released with its cluster
		strings.HasPrefix(n.Hostname, f.prefix) && strings.HasSuffix(n.Hostname, f.suffix) &&
		(f.address == "" || f.address == n.Address) && (f.queue == "" || f.queue == n.Queue)
}

func (f nodeFilter) showsRole(n *store.Node) bool {
	switch f.role {
	case "Manager":
		return n.HasRole(hpc.RoleManager) || n.HasRole(hpc.RoleAccount)
	case "Login":
		return n.HasRole(hpc.RoleLogin)
	case "Compute":
		return n.HasRole(hpc.RoleCompute)
	}
	return true
}

func (s *Service) nodeInfo(c *store.Cluster, n *store.Node) api.ListNodesNodeInfo {
	i := api.ListNodesNodeInfo{
		Id: n.ID, RegionId: s.Config.Region, Status: string(n.Status), CreatedByEhpc: true, AddTime: stamp(n.Created),
		SpotStrategy: string(n.SpotStrategy), ImageOwnerAlias: "system", ImageId: n.ImageID,
		Location: "PublicCloud", CreateMode: n.CreateMode, HostName: n.Hostname, InstanceType: n.InstanceType.Name,
		IpAddress: n.Address, StateInSched: n.SchedState, VSwitchId: c.Asked.VSwitchId, VpcId: c.Asked.VpcId,
		LockReason: lockReason(n), ZoneId: orElse(c.Asked.ZoneId, s.Config.Zone), Version: s.Version,
		TotalResources: &api.ListNodesTotalResources{Cpu: n.InstanceType.Cores, Memory: n.InstanceType.MemoryMB, Gpu: n.InstanceType.GPUs},
		UsedResources:  &api.ListNodesUsedResources{Cpu: n.CoresUsed, Memory: n.MemoryUsed},
	}
	for _, r := range n.Roles {
		i.Roles.Role = append(i.Roles.Role, string(r))
	}
	return i
}

func ipInfo(n *store.Node) *api.ListNodesByQueueIpInfo {
	info := new(api.ListNodesByQueueIpInfo) // no node has a public address
	if n.Address != "" {
		info.PrivateIpAddress.IpAddress = []string{n.Address}
	}
	return info
}

// instanceInfo tells of a node's machine what the document has and is known here.
func instanceInfo(c *store.Cluster, n *store.Node, i api.ListNodesNodeInfo, images []Image) *api.ListNodesByQueueInstanceInfo {
	status := "Stopped"
	if n.Address != "" {
		status = "Running"
	}
	info := &api.ListNodesByQueueInstanceInfo{InstanceId: n.ID, InstanceName: c.ID + "_" + n.Hostname, HostName: n.Hostname, ClusterId: c.ID,
		RegionId: i.RegionId, ZoneId: i.ZoneId, ImageId: n.ImageID, OSType: "linux", Status: status,
		InstanceType: n.InstanceType.Name, InstanceTypeFamily: familyOf(n.InstanceType.Name), InstanceNetworkType: "vpc",
		Cpu: n.InstanceType.Cores, Memory: n.InstanceType.MemoryMB, GPUAmount: n.InstanceType.GPUs, GPUSpec: n.InstanceType.GPUSpec,
		InstanceChargeType: "PostPaid", SpotStrategy: orElse(string(n.SpotStrategy), "NoSpot"), CreationTime: stamp(n.Created), StartTime: stamp(n.Created),
		VpcAttributes: &api.ListNodesByQueueVpcAttributes{VSwitchId: i.VSwitchId, VpcId: i.VpcId}}
	info.VpcAttributes.PrivateIpAddress.IpAddress = ipInfo(n).PrivateIpAddress.IpAddress
	for _, im := range images {
		if im.ID == n.ImageID {
			info.OSName, info.OSNameEn = im.OSName, im.OSName
		}
	}
	return info
}
