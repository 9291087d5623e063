package action

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ehpc/api"
	"ehpc/internal/hpc"
	"ehpc/internal/store"
)

// DeleteCluster marks a cluster and its nodes as no longer wanted.
func (s *Service) DeleteCluster(ctx context.Context, q *api.DeleteClusterRequest) (*api.DeleteClusterResponse, error) {
	if strings.EqualFold(q.ReleaseInstance, "false") {
		return nil, api.InvalidParams.Errorf("cannot delete cluster %s with ReleaseInstance false: its nodes cannot stay without it", q.ClusterId)
	}
	now := time.Now()
	return change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.DeleteClusterResponse, error) {
		c, err := s.lockCluster(ctx, tx, q.ClusterId)
		if err != nil {
			return nil, err
		}
		if !c.Wanted {
			return nil, api.InvalidClusterStatus.Errorf("cannot delete cluster %s: it is being deleted already", c.ID)
		}
		if err := tx.UnwantCluster(ctx, c.ID, now); err != nil {
			return nil, err
		}
		return &api.DeleteClusterResponse{}, tx.Log(ctx, c.ID, "DeleteCluster", store.Info, "deletion of the cluster accepted, with its nodes, its jobs and everything in /home and /opt", now)
	})
}

// ModifyClusterAttributes renames a cluster.
func (s *Service) ModifyClusterAttributes(ctx context.Context, q *api.ModifyClusterAttributesRequest) (*api.ModifyClusterAttributesResponse, error) {
	if q.ImageId != "" || q.ImageOwnerAlias != "" || q.RamRoleName != "" || len(q.RamNodeTypes) > 0 || q.WinAdPar != (api.ModifyClusterAttributesRequestWinAdPar{}) {
		return nil, api.InvalidParams.Errorf("cannot modify cluster %s: only Name and Description can be changed", q.ClusterId)
	}
	now := time.Now()
	return change(ctx, s, func(ctx context.Context, tx store.Tx) (*api.ModifyClusterAttributesResponse, error) {
		c, err := s.lockCluster(ctx, tx, q.ClusterId)
		if err != nil {
			return nil, err
		}
		if !c.Wanted {
			return nil, api.InvalidClusterStatus.Errorf("cannot modify cluster %s: it is being deleted", c.ID)
		}
		c.Name, c.Description = orElse(q.Name, c.Name), orElse(q.Description, c.Description)
		if err := tx.RenameCluster(ctx, c); err != nil {
			return nil, err
		}
		line := fmt.Sprintf("the cluster's name is %q, its description %q", c.Name, c.Description)
		return &api.ModifyClusterAttributesResponse{}, tx.Log(ctx, c.ID, "ModifyClusterAttributes", store.Info, line, now)
	})
}

// ListClusters shows the caller's clusters with what their nodes add up to.
func (s *Service) ListClusters(ctx context.Context, q *api.ListClustersRequest) (*api.ListClustersResponse, error) {
	tx := s.Store.Read()
	rows, total, err := tx.Clusters(ctx, CallOf(ctx).Owner, store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	a := &api.ListClustersResponse{TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize}
	for _, c := range rows {
		nodes, err := tx.Nodes(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		a.Clusters.ClusterInfoSimple = append(a.Clusters.ClusterInfoSimple, s.simple(c, nodes))
	}
	return a, nil
}

func (s *Service) simple(c *store.Cluster, nodes []*store.Node) api.ListClustersClusterInfoSimple {
	info := api.ListClustersClusterInfoSimple{
		Id: c.ID, RegionId: s.Config.Region, ZoneId: orElse(c.Asked.ZoneId, s.Config.Zone), Name: c.Name,
		Description: c.Description, Status: string(c.Status), OsTag: osTag(c), AccountType: accountType(c),
		SchedulerType: s.schedulerType(c), InstanceType: orElse(c.Asked.EcsOrder.Compute.InstanceType, s.Config.ComputeType),
		CreateTime: stamp(c.Created), ImageOwnerAlias: "system", ImageId: c.ImageID, Location: "PublicCloud",
		DeployMode: string(c.DeployMode), VSwitchId: c.Asked.VSwitchId, VpcId: c.Asked.VpcId,
		ComputeSpotStrategy: c.Asked.ComputeSpotStrategy, ComputeSpotPriceLimit: spotLimit(c), ClientVersion: s.Version,
		TotalResources: &api.ListClustersTotalResources{}, UsedResources: &api.ListClustersUsedResources{},
	}
	var managers, computes tally
	logins := []map[string]string{}
	for _, n := range nodes {
		if n.HasRole(hpc.RoleManager) || n.HasRole(hpc.RoleAccount) {
			managers.add(n)
		}
		if n.HasRole(hpc.RoleLogin) {
			logins = append(logins, map[string]string{"Id": n.ID})
		}
		if !n.HasRole(hpc.RoleCompute) {
			continue
		}
		computes.add(n)
		info.Count++
		info.TotalResources.Cpu += n.InstanceType.Cores
		info.TotalResources.Memory += n.InstanceType.MemoryMB
		info.TotalResources.Gpu += n.InstanceType.GPUs
		info.UsedResources.Cpu += n.CoresUsed
		info.UsedResources.Memory += n.MemoryUsed
	}
	m, w := api.ListClustersManagers(managers), api.ListClustersComputes(computes)
	info.Managers, info.Computes = &m, &w
	text, _ := json.Marshal(logins) // strings always marshal
	info.LoginNodes = string(text)
	return info
}

// tally counts nodes by how they are.
type tally api.ListClustersManagers

func (t *tally) add(n *store.Node) {
	t.Total++
	switch n.Status {
	case hpc.NodeRunning:
		t.NormalCount++
	case hpc.NodeException:
		t.ExceptionCount++
	default:
		t.OperatingCount++
	}
}

func accountType(c *store.Cluster) string { return orElse(c.Asked.AccountType, "nis") }

// osTag echoes what was asked for: Terraform replaces a cluster whose OsTag changes.
func osTag(c *store.Cluster) string { return orElse(c.Asked.OsTag, c.OsTag) }

// schedulerType echoes what was asked for, not the engine's own name.
func (s *Service) schedulerType(c *store.Cluster) string {
	return orElse(c.Asked.SchedulerType, c.Scheduler)
}

// ListClustersMeta shows the caller's clusters in short.
func (s *Service) ListClustersMeta(ctx context.Context, q *api.ListClustersMetaRequest) (*api.ListClustersMetaResponse, error) {
	rows, total, err := s.Store.Read().Clusters(ctx, CallOf(ctx).Owner, store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	a := &api.ListClustersMetaResponse{TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize}
	for _, c := range rows {
		a.Clusters.ClusterInfoSimple = append(a.Clusters.ClusterInfoSimple, api.ListClustersMetaClusterInfoSimple{
			Id: c.ID, Name: c.Name, Description: c.Description, Status: string(c.Status), Location: "PublicCloud",
			AccountType: accountType(c), ClientVersion: s.Version, DeployMode: string(c.DeployMode), OsTag: osTag(c),
			SchedulerType: s.schedulerType(c), VpcId: c.Asked.VpcId})
	}
	return a, nil
}

// ListClusterLogs shows a cluster's log, newest first.
func (s *Service) ListClusterLogs(ctx context.Context, q *api.ListClusterLogsRequest) (*api.ListClusterLogsResponse, error) {
	tx := s.Store.Read()
	if _, err := s.cluster(ctx, tx, q.ClusterId); err != nil {
		return nil, err
	}
	rows, total, err := tx.Logs(ctx, q.ClusterId, store.Page{Number: q.PageNumber, Size: q.PageSize})
	if err != nil {
		return nil, err
	}
	a := &api.ListClusterLogsResponse{ClusterId: q.ClusterId, TotalCount: total, PageNumber: q.PageNumber, PageSize: q.PageSize}
	for _, l := range rows {
		a.Logs.LogInfo = append(a.Logs.LogInfo, api.ListClusterLogsLogInfo{Operation: l.Operation, Level: l.Level,
			Message: l.Message, CreateTime: stamp(l.Created)})
	}
	return a, nil
}

// ListQueues shows a cluster's queues and the instance types of their nodes.
func (s *Service) ListQueues(ctx context.Context, q *api.ListQueuesRequest) (*api.ListQueuesResponse, error) {
	tx := s.Store.Read()
	c, err := s.cluster(ctx, tx, q.ClusterId)
	if err != nil {
		return nil, err
	}
	queues, err := tx.Queues(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	nodes, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	a := &api.ListQueuesResponse{}
	for _, row := range queues {
		info := api.ListQueuesQueueInfo{QueueName: row.Name, Type: "Execution", ImageId: c.ImageID}
		seen := map[string]bool{}
		for _, n := range nodes {
			if n.Queue == row.Name && !seen[n.InstanceType.Name] {
				seen[n.InstanceType.Name] = true
				info.ComputeInstanceType.InstanceType = append(info.ComputeInstanceType.InstanceType, n.InstanceType.Name)
			}
		}
		a.Queues.QueueInfo = append(a.Queues.QueueInfo, info)
	}
	return a, nil
}

// DescribeCluster echoes what was asked for and tells how the cluster is.
func (s *Service) DescribeCluster(ctx context.Context, q *api.DescribeClusterRequest) (*api.DescribeClusterResponse, error) {
	tx := s.Store.Read()
	c, err := s.cluster(ctx, tx, q.ClusterId)
	if err != nil {
		return nil, err
	}
	nodes, err := tx.Nodes(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	info := s.describe(c)
	info.EcsInfo = s.ecsInfo(c, nodes)
	info.Nodes = &api.DescribeClusterNodes{}
	for _, n := range nodes {
		if !n.HasRole(hpc.RoleManager) && !n.HasRole(hpc.RoleAccount) {
			continue
		}
		for _, role := range n.Roles { // one entry each: the document's has place for one role
			info.Nodes.NodesInfo = append(info.Nodes.NodesInfo, api.DescribeClusterNodesInfo{HostName: n.Hostname,
				IpAddress: n.Address, Role: string(role), AccountType: info.AccountType, SchedulerType: info.SchedulerType})
		}
	}
	return &api.DescribeClusterResponse{ClusterInfo: info}, nil
}

func (s *Service) describe(c *store.Cluster) api.DescribeClusterClusterInfo {
	q := &c.Asked
	info := api.DescribeClusterClusterInfo{
		Id: c.ID, RegionId: s.Config.Region, ZoneId: orElse(q.ZoneId, s.Config.Zone), Name: c.Name,
		Description: c.Description, Status: string(c.Status), OsTag: osTag(c),
		AccountType: accountType(c), SchedulerType: s.schedulerType(c), CreateTime: stamp(c.Created),
		SecurityGroupId: q.SecurityGroupId, VpcId: q.VpcId, VSwitchId: q.VSwitchId,
		VolumeType: orElse(q.VolumeType, "nas"), VolumeId: q.VolumeId, VolumeProtocol: orElse(q.VolumeProtocol, "nfs"),
		VolumeMountpoint: q.VolumeMountpoint, RemoteDirectory: q.RemoteDirectory, HaEnable: q.HaEnable,
		EcsChargeType: orElse(q.EcsChargeType, "PostPaid"), KeyPairName: q.KeyPairName, SccClusterId: q.SccClusterId,
		ClientVersion: orElse(q.ClientVersion, s.Version), ImageOwnerAlias: orElse(q.ImageOwnerAlias, "system"),
		ImageId: c.ImageID, DeployMode: string(c.DeployMode), Location: "PublicCloud",
		ClusterVersion: q.ClusterVersion, ComputeSpotPriceLimit: q.ComputeSpotPriceLimit,
		ComputeSpotStrategy: q.ComputeSpotStrategy, Domain: q.Domain, PeriodUnit: q.PeriodUnit, Plugin: q.Plugin,
		RamNodeTypes: strings.Join(q.RamNodeTypes, ","), RamRoleName: q.RamRoleName, ResourceGroupId: q.ResourceGroupId,
	}
	if c.Status == hpc.ClusterException || c.Status == hpc.ClusterUninit {
		info.ErrorMessage = c.Reason
	}
	if q.Period != nil {
		info.Period = strconv.Itoa(*q.Period)
		info.AutoRenew, info.AutoRenewPeriod = strconv.FormatBool(q.AutoRenew), strconv.Itoa(q.AutoRenewPeriod)
	}
	for _, script := range q.PostInstallScript { // left out without any
		if info.PostInstallScripts == nil {
			info.PostInstallScripts = &api.DescribeClusterPostInstallScripts{}
		}
		info.PostInstallScripts.PostInstallScriptInfo = append(info.PostInstallScripts.PostInstallScriptInfo,
			api.DescribeClusterPostInstallScriptInfo(script))
	}
	for _, app := range q.Application {
		name, version, _ := strings.Cut(app.Tag, "_")
		info.Applications.ApplicationInfo = append(info.Applications.ApplicationInfo,
			api.DescribeClusterApplicationInfo{Tag: app.Tag, Name: name, Version: version})
	}
	return info
}

// ecsInfo counts the nodes there are, by the types they were asked for.
func (s *Service) ecsInfo(c *store.Cluster, nodes []*store.Node) *api.DescribeClusterEcsInfo {
	order := c.Asked.EcsOrder
	info := &api.DescribeClusterEcsInfo{
		Manager: &api.DescribeClusterManager{InstanceType: orElse(order.Manager.InstanceType, s.Config.ManagerType)},
		Compute: &api.DescribeClusterCompute{InstanceType: orElse(order.Compute.InstanceType, s.Config.ComputeType)},
		Login:   &api.DescribeClusterLogin{InstanceType: orElse(order.Login.InstanceType, s.Config.LoginType)},
	}
	for _, n := range nodes {
		switch {
		case n.HasRole(hpc.RoleManager) || n.HasRole(hpc.RoleAccount):
			info.Manager.Count++
		case n.HasRole(hpc.RoleLogin):
			info.Login.Count++
		default:
			info.Compute.Count++
		}
	}
	if !layouts[c.DeployMode].login { // the manager is the login node, told as it was asked for
		info.Login.Count = deref(order.Login.Count, 0)
	}
	return info
}
