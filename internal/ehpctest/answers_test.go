package ehpctest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	provfake "ehpc/internal/provider/fake"
)

// What answers of the document hold, and clients read.
func TestAnswersHoldWhatTheDocumentHas(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 2)
	n := p.node(t, id, "compute000")
	t.Run("instance types can be preemptible and tell the speed of their network", func(t *testing.T) {
		var types api.ListAvailableEcsTypesResponse
		must(t, p.Do(t.Context(), &api.ListAvailableEcsTypesRequest{ZoneId: "z"}, &types))
		first := types.InstanceTypeFamilies.InstanceTypeFamilyInfo[0].Types.TypesInfo[0]
		if !types.SupportSpotInstance || first.InstanceBandwidthRx != 10_000_000 || first.InstanceBandwidthTx != 10_000_000 {
			t.Errorf("%v, %+v", types.SupportSpotInstance, first)
		}
		var preferred api.ListPreferredEcsTypesResponse
		must(t, p.Do(t.Context(), &api.ListPreferredEcsTypesRequest{ZoneId: "z"}, &preferred))
		if !preferred.SupportSpotInstance {
			t.Error("ListPreferredEcsTypes has no preemptible ones")
		}
	})
	t.Run("users have their name under both spellings", func(t *testing.T) {
		var users api.ListUsersResponse
		must(t, p.Do(t.Context(), &api.ListUsersRequest{ClusterId: id, PageNumber: 1, PageSize: 10}, &users))
		if got := users.Users.UserInfo[0]; got.Name != "worker" || got.Username != "worker" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("the nodes of a queue tell their addresses and their machine", func(t *testing.T) {
		var a api.ListNodesByQueueResponse
		must(t, p.Do(t.Context(), &api.ListNodesByQueueRequest{ClusterId: id, QueueName: "workq", PageNumber: 1, PageSize: 1}, &a))
		got := a.Nodes.NodeInfo[0]
		if got.IpInfo == nil || !slices.Equal(got.IpInfo.PrivateIpAddress.IpAddress, []string{n.IpAddress}) {
			t.Errorf("addresses %+v", got.IpInfo)
		}
		m := got.InstanceInfo
		if m == nil || m.InstanceId != n.Id || m.HostName != "compute000" || m.InstanceType != n.InstanceType || m.Status != "Running" ||
			m.Cpu != n.TotalResources.Cpu || m.SpotStrategy != "NoSpot" || m.OSName != "Debian 12 64-bit" || m.InstanceTypeFamily != "ecs.n1" {
			t.Errorf("machine %+v", m)
		}
	})
	t.Run("a report of nothing has a page size", func(t *testing.T) {
		var a api.GetAccountingReportResponse
		must(t, p.Do(t.Context(), &api.GetAccountingReportRequest{ClusterId: id, ReportType: "resources_by_user",
			StartTime: int(time.Now().Add(-300 * 24 * time.Hour).Unix()), EndTime: int(time.Now().Add(-299 * 24 * time.Hour).Unix())}, &a))
		if a.PageSize < 1 || a.PageNumber != 1 || a.TotalCount != 0 {
			t.Errorf("page %d of %d, %d in all", a.PageNumber, a.PageSize, a.TotalCount)
		}
	})
	t.Run("a job file may be empty", func(t *testing.T) {
		must(t, call(t, p, "CreateJobFile", "ClusterId", id, "TargetFile", "~/empty", "Content", "", "RunasUser", "worker", "RunasUserPassword", password))
	})
}

func TestATinyClustersManagerHasAllItsRoles(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	var made api.CreateClusterResponse
	must(t, p.Do(t.Context(), &api.CreateClusterRequest{Name: "tiny", DeployMode: "Tiny"}, &made))
	var roles []string
	for _, n := range p.Describe(t, made.ClusterId).Nodes.NodesInfo {
		if n.HostName != "manager" {
			t.Errorf("it has a node %+v", n)
		}
		roles = append(roles, n.Role)
	}
	if want := []string{"Account", "Scheduler", "Login"}; !slices.Equal(roles, want) {
		t.Errorf("the roles are %q, want %q", roles, want)
	}
	if got := p.node(t, made.ClusterId, "manager").Roles.Role; !slices.Equal(got, roles) {
		t.Errorf("ListNodes has the roles %q", got)
	}
}

func TestTasksTellWhatWasAskedAndWhatCameOfIt(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	raw, err := p.Call(t.Context(), "CreateCluster", url.Values{"Name": {"lab"}, "Password": {"Secret-melt-1"}, "EcsOrder.Compute.Count": {"1"}})
	must(t, err)
	var made api.CreateClusterResponse
	must(t, json.Unmarshal(raw, &made))
	id := made.ClusterId
	p.Until(t, "the cluster runs", func() bool { return p.Describe(t, id).Status == "running" })
	var added api.AddNodesResponse
	must(t, p.Do(t.Context(), &api.AddNodesRequest{ClusterId: id, Count: 2}, &added))
	leaving := added.InstanceIds.InstanceId[0]
	must(t, p.Do(t.Context(), &api.DeleteNodesRequest{ClusterId: id, ReleaseInstance: true,
		Instance: []api.DeleteNodesRequestInstance{{Id: leaving}}}, nil))
	var tasks api.ListTasksResponse
	must(t, p.Do(t.Context(), &api.ListTasksRequest{ClusterId: id, PageNumber: 1, PageSize: 10}, &tasks))
	for _, task := range tasks.Tasks {
		var request map[string]string
		must(t, json.Unmarshal([]byte(task.Request), &request))
		if strings.Contains(task.Request, "Secret-melt-1") || request["Password"] != "" {
			t.Errorf("the request of %s holds the password: %s", task.TaskType, task.Request)
		}
		switch task.TaskType {
		case "CreateCluster":
			if request["Name"] != "lab" || request["EcsOrder.Compute.Count"] != "1" || task.Result != `{"ClusterId":"`+id+`"}` {
				t.Errorf("%+v", task)
			}
		case "AddNodes":
			var result struct{ InstanceIds []string }
			must(t, json.Unmarshal([]byte(task.Result), &result))
			if request["Count"] != "2" || !slices.Equal(result.InstanceIds, added.InstanceIds.InstanceId) {
				t.Errorf("%+v", task)
			}
		case "DeleteNodes":
			if request["Instance.1.Id"] != leaving || request["ReleaseInstance"] != "true" || task.Result != `{"InstanceIds":["`+leaving+`"]}` {
				t.Errorf("%+v", task)
			}
		}
	}
	if len(tasks.Tasks) != 3 {
		t.Errorf("%d tasks", len(tasks.Tasks))
	}
}
