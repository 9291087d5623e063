package ehpctest

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"ehpc/api"
	provfake "ehpc/internal/provider/fake"
)

// TestHostileValues holds what would reach a scheduler's configuration or the
// store to a refusal that names the parameter.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 1)
	for _, c := range []struct {
		name, action, params, says string
	}{
		{"a queue with a line of configuration in it", "CreateCluster", "Name=new&JobQueue=q%0ADebugFlags%3Dx", "JobQueue"},
		{"a queue with a space", "CreateCluster", "Name=new&JobQueue=my+q", "JobQueue"},
		{"a queue called as a host", "CreateCluster", "Name=new&JobQueue=compute000", "JobQueue"},
		{"an unknown type of nodes to come", "CreateCluster", "Name=new&EcsOrder.Compute.InstanceType=ecs.none", "EcsOrder.Compute.InstanceType"},
		{"an id with a NUL byte", "DescribeCluster", "ClusterId=a%00b", "ClusterId must not hold NUL bytes"},
		{"a priority that no scheduler takes", "SubmitJob", "CommandLine=true&RunasUser=worker&RunasUserPassword=" + password + "&Priority=2147483647", "Priority"},
		{"an account called as a system group", "AddUsers", "User.1.Name=shadow&User.1.Group=users&User.1.Password=" + password, "User.1.Name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			params, err := url.ParseQuery(c.params)
			must(t, err)
			if !params.Has("ClusterId") && !params.Has("Name") {
				params.Set("ClusterId", id)
			}
			_, err = p.Call(t.Context(), c.action, params)
			if got := codeOf(t, err); got != "InvalidParams" || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want InvalidParams and a message with %q", err, c.says)
			}
		})
	}
}

func TestAFileIsWrittenOncePerToken(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := Start(t, w, Options{})
	id := withAccount(t, w, p, 0)
	manager := w.Agent(p.Nodes(t, id)[0].Id)
	write := func(content, token string) {
		_, err := p.Call(t.Context(), "CreateJobFile", url.Values{"ClusterId": {id}, "TargetFile": {"~/in.txt"}, "Content": {content},
			"RunasUser": {"worker"}, "RunasUserPassword": {password}, "ClientToken": {token}})
		must(t, err)
	}
	write("first", "token-1")
	write("second", "token-2")
	write("first", "token-1")
	if got := manager.Files["worker in.txt"]; got != "second" {
		t.Errorf("the file holds %q: a repeated request wrote it again", got)
	}
}

func TestALoginNodeThatIsTheManagerIsToldAsAskedFor(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	answer, err := p.Call(t.Context(), "CreateCluster", url.Values{"Name": {"tiny"}, "DeployMode": {"Tiny"},
		"EcsOrder.Manager.Count": {"1"}, "EcsOrder.Login.Count": {"1"}, "EcsOrder.Compute.Count": {"0"}})
	must(t, err)
	var a api.CreateClusterResponse
	must(t, json.Unmarshal(answer, &a))
	info := p.Describe(t, a.ClusterId).EcsInfo
	if info.Manager.Count != 1 || info.Login.Count != 1 || info.Compute.Count != 0 {
		t.Errorf("%d managers, %d login and %d compute nodes", info.Manager.Count, info.Login.Count, info.Compute.Count)
	}
}

func TestHostNamesAreMatchedInAnyCase(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	id := p.Create(t, 2)
	for pattern, want := range map[string]int{"^MANAGER$": 1, "compute00[01]": 2, "none": 0} {
		var a api.ListNodesResponse
		must(t, p.Do(t.Context(), &api.ListNodesRequest{ClusterId: id, HostName: pattern, PageNumber: 1, PageSize: 10}, &a))
		if a.TotalCount != want || len(a.Nodes.NodeInfo) != want {
			t.Errorf("%s matches %d", pattern, a.TotalCount)
		}
	}
}

func TestACommandFailsWithTheNodeThatIsDeletedUnderIt(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	id := p.Create(t, 1)
	nodes := p.Nodes(t, id)
	last := nodes[len(nodes)-1].Id
	var a api.InvokeShellCommandResponse
	must(t, p.Do(t.Context(), &api.InvokeShellCommandRequest{ClusterId: id, Command: Endless,
		Instance: []api.InvokeShellCommandRequestInstance{{Id: last}}}, &a))
	must(t, p.Do(t.Context(), &api.DeleteNodesRequest{ClusterId: id, ReleaseInstance: true,
		Instance: []api.DeleteNodesRequestInstance{{Id: last}}}, &api.DeleteNodesResponse{}))
	var results api.ListInvocationResultsResponse
	p.Until(t, "the command has failed", func() bool {
		must(t, p.Do(t.Context(), &api.ListInvocationResultsRequest{ClusterId: id, CommandId: a.CommandId, PageNumber: 1, PageSize: 10}, &results))
		return results.InvocationResults.InvocationResult[0].InvokeRecordStatus == "Failed"
	})
	if r := results.InvocationResults.InvocationResult[0]; r.Success || r.FinishedTime == "" || !strings.Contains(r.Message, "deleted") {
		t.Errorf("result %+v", r)
	}
}

func TestAClusterThatNeverCameUpTakesNoWork(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	for range 40 { // more than are tried
		w.Machines.Fail(provfake.Create, errors.New("no space left"))
	}
	p := Start(t, w, Options{})
	id := p.Ask(t, 1)
	p.Until(t, "the cluster is in exception", func() bool { return p.Describe(t, id).Status == "exception" })
	for action, params := range map[string]string{
		"AddNodes":    "Count=1",
		"DeleteNodes": "Instance.1.Id=i-1",
		"SubmitJob":   "CommandLine=true&RunasUser=worker&RunasUserPassword=" + password,
	} {
		values, err := url.ParseQuery(params)
		must(t, err)
		values.Set("ClusterId", id)
		_, err = p.Call(t.Context(), action, values)
		if got := codeOf(t, err); got != "InvalidClusterStatus" {
			t.Errorf("%s: code %s", action, got)
		}
	}
	must(t, p.Do(t.Context(), &api.DeleteClusterRequest{ClusterId: id}, &api.DeleteClusterResponse{}))
	p.Until(t, "the cluster is gone", func() bool {
		err := p.Do(t.Context(), &api.DescribeClusterRequest{ClusterId: id}, &api.DescribeClusterResponse{})
		return err != nil && codeOf(t, err) == "ClusterNotFound"
	})
}
