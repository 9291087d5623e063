package ehpctest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"ehpc/api"
	"ehpc/internal/config"
	provfake "ehpc/internal/provider/fake"
	"ehpc/internal/store"
)

// TestBadInput holds every refusal to its code and to naming what is wrong, and
// the store to what it was.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{Cores: 64, MemoryMB: 1 << 20})
	p := Start(t, w, Options{Config: func(c *config.Config) { c.MaxNodes = 20 }})
	id := withAccount(t, w, p, 1)
	creating := p.Ask(t, 0)
	nodes := p.Nodes(t, id)
	before := rows(t, p, id)
	long := strings.Repeat("x", 2049)
	job := func(more ...string) url.Values {
		v := url.Values{"ClusterId": {id}, "CommandLine": {"true"}, "RunasUser": {"worker"}, "RunasUserPassword": {password}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	file := func(path, content string) url.Values {
		return url.Values{"ClusterId": {id}, "TargetFile": {path}, "Content": {content}, "RunasUser": {"worker"}, "RunasUserPassword": {password}}
	}
	user := func(name, password string) url.Values {
		return url.Values{"ClusterId": {id}, "User.1.Name": {name}, "User.1.Group": {"users"}, "User.1.Password": {password}}
	}
	for _, c := range []struct {
		name, action string
		params       url.Values
		code, says   string
	}{
		{"an unknown cluster", "DescribeCluster", url.Values{"ClusterId": {"ehpc-hz-none"}}, "ClusterNotFound", "ehpc-hz-none"},
		{"an unknown image", "CreateCluster", url.Values{"Name": {"new"}, "OsTag": {"CentOS_7.2_64"}}, "ImageNotSupported", "there are: Debian_12_64; the configuration's os_aliases"},
		{"a scheduler that the image lacks", "CreateCluster", url.Values{"Name": {"new"}, "SchedulerType": {"pbs"}}, "InvalidSoftware", "OpenPBS is not installed in image Debian_12_64, which has slurm 22.05.8; the configuration's scheduler_aliases"},
		{"management nodes in pairs", "CreateCluster", url.Values{"Name": {"new"}, "DeployMode": {"Advanced"}}, "InvalidParams", "Advanced"},
		{"high availability", "CreateCluster", url.Values{"Name": {"new"}, "HaEnable": {"true"}}, "InvalidParams", "HaEnable"},
		{"an unknown instance type", "CreateCluster", url.Values{"Name": {"new"}, "EcsOrder.Compute.InstanceType": {"ecs.none"}, "EcsOrder.Compute.Count": {"1"}}, "InvalidParams", "EcsOrder.Compute.InstanceType"},
		{"more nodes than allowed", "CreateCluster", url.Values{"Name": {"new"}, "EcsOrder.Compute.Count": {"30"}}, "TooManyNodes", "20"},
		{"more nodes than fit the machine", "AddNodes", url.Values{"ClusterId": {id}, "Count": {"2"}, "InstanceType": {"ecs.scch5.16xlarge"}}, "EcsError", "cannot make 2 more nodes"},
		{"nodes in an unknown queue", "AddNodes", url.Values{"ClusterId": {id}, "Count": {"1"}, "JobQueue": {"none"}}, "InvalidParams", "JobQueue"},
		{"a manager through DeleteNodes", "DeleteNodes", url.Values{"ClusterId": {id}, "Instance.1.Id": {nodes[0].Id}}, "InvalidOpt", "manager"},
		{"an unknown node", "DeleteNodes", url.Values{"ClusterId": {id}, "Instance.1.Id": {"i-none"}}, "ComputeNotFound", "i-none"},
		{"a duplicate account", "AddUsers", user("worker", password), "UsernameExist", "worker"},
		{"a user named root", "AddUsers", user("root", password), "InvalidParams", "User.1.Name"},
		{"a user named as the system's", "AddUsers", user("nobody", password), "InvalidParams", "User.1.Name"},
		{"a user's name with a colon", "AddUsers", user("ada:x:0", password), "InvalidParams", "User.1.Name"},
		{"a user's name with a newline", "AddUsers", user("lovelace\nroot", password), "InvalidParams", "User.1.Name"},
		{"a password of two kinds of characters", "AddUsers", user("lovelace", "abcdef1234"), "InvalidParams", "User.1.Password"},
		{"a password with a character of no kind", "AddUsers", user("lovelace", "Right_Horse 7"), "InvalidParams", "User.1.Password"},
		{"a password that is too short", "AddUsers", user("lovelace", "Rh-7"), "InvalidParams", "User.1.Password"},
		{"a password that is too long", "AddUsers", user("lovelace", strings.Repeat("Rh-7", 8)), "InvalidParams", "User.1.Password"},
		{"a group that is none", "AddUsers", url.Values{"ClusterId": {id}, "User.1.Name": {"lovelace"}, "User.1.Group": {"root"}, "User.1.Password": {password}}, "InvalidParams", "User.1.Group"},
		{"a wrong password", "SubmitJob", job("RunasUserPassword", "Wrong-Horse-7"), "IncorrectCredential", "worker"},
		{"an unknown account", "SubmitJob", job("RunasUser", "nobody7"), "IncorrectCredential", "nobody7"},
		{"root as an account", "SubmitJob", job("RunasUser", "root"), "IncorrectCredential", "root"},
		{"an unknown queue", "SubmitJob", job("JobQueue", "none"), "InvalidParams", "JobQueue"},
		{"an empty array", "SubmitJob", job("ArrayRequest", "9-1"), "InvalidParams", "ArrayRequest"},
		{"an array of a million", "SubmitJob", job("ArrayRequest", "1-1000000"), "InvalidParams", "ArrayRequest"},
		{"a variable without a name", "SubmitJob", job("Variables", `[{"Value":"x"}]`), "InvalidParams", "Variables"},
		{"a job's name with a newline", "SubmitJob", job("Name", "a\nb"), "InvalidParams", "Name"},
		{"output outside the home", "SubmitJob", job("StdoutRedirectPath", "/etc/passwd"), "InvalidParams", "StdoutRedirectPath"},
		{"output that climbs out of the home", "SubmitJob", job("StdoutRedirectPath", "../../root/x"), "InvalidParams", "StdoutRedirectPath"},
		{"a script with NUL bytes", "SubmitJob", job("CommandLine", "a\x00b"), "InvalidParams", "CommandLine"},
		{"a walltime that is none", "SubmitJob", job("ClockTime", "soon"), "InvalidParams", "ClockTime"},
		{"a job file outside the account's reach", "CreateJobFile", file("/etc/passwd", "x"), "InvalidParams", "TargetFile"},
		{"a job file through ..", "CreateJobFile", file("../other/x", "x"), "InvalidParams", "TargetFile"},
		{"a job file with NUL bytes", "CreateJobFile", file("x", "a\x00b"), "InvalidParams", "NUL"},
		{"a command of 2,049 characters", "InvokeShellCommand", url.Values{"ClusterId": {id}, "Command": {long}}, "", "Command"},
		{"a command on an unknown node", "InvokeShellCommand", url.Values{"ClusterId": {id}, "Command": {"true"}, "Instance.1.Id": {"i-none"}}, "ComputeNotFound", "i-none"},
		{"a command in a directory without a root", "InvokeShellCommand", url.Values{"ClusterId": {id}, "Command": {"true"}, "WorkingDir": {"tmp"}}, "InvalidParams", "WorkingDir"},
		{"a command without an end", "InvokeShellCommand", url.Values{"ClusterId": {id}, "Command": {"true"}, "Timeout": {"10000000000"}}, "InvalidParams", "Timeout"},
		{"results of an unknown command", "ListInvocationResults", url.Values{"ClusterId": {id}, "CommandId": {"c-none"}}, "ObjectNotFound", "c-none"},
		{"a host name pattern that is none", "ListNodes", url.Values{"ClusterId": {id}, "HostName": {"("}}, "InvalidParams", "HostName"},
		{"deletion that keeps the nodes", "DeleteCluster", url.Values{"ClusterId": {id}, "ReleaseInstance": {"false"}}, "InvalidParams", "ReleaseInstance"},
		{"an action that is not built", "StartGWSInstance", url.Values{"InstanceId": {"x"}}, "NotImplemented", "StartGWSInstance"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := p.Call(t.Context(), c.action, c.params)
			got := codeOf(t, err)
			if c.code != "" && got != c.code || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want code %s and a message with %q", err, c.code, c.says)
			}
		})
	}
	t.Run("the store is as it was", func(t *testing.T) {
		if after := rows(t, p, id); after != before {
			t.Errorf("rows %+v, were %+v", after, before)
		}
	})
	t.Run("a cluster that is being made takes no users", func(t *testing.T) {
		other := Start(t, NewWorld(provfake.Options{}), Options{Interrupt: func(string) bool { return true }})
		stuck := other.Ask(t, 0)
		_, err := other.Call(t.Context(), "AddUsers", url.Values{"ClusterId": {stuck}, "User.1.Name": {"another"}, "User.1.Group": {"users"}, "User.1.Password": {password}})
		if got := codeOf(t, err); got != "InvalidClusterStatus" {
			t.Errorf("code %s", got)
		}
		must(t, other.Do(t.Context(), &api.DeleteClusterRequest{ClusterId: stuck}, &api.DeleteClusterResponse{}))
		err = other.Do(t.Context(), &api.DeleteClusterRequest{ClusterId: stuck}, &api.DeleteClusterResponse{})
		if got := codeOf(t, err); got != "InvalidClusterStatus" {
			t.Errorf("a second deletion: code %s", got)
		}
	})
	t.Run("another owner's clusters do not exist", func(t *testing.T) {
		err := clientOf(t, p.URL, p.keyOf(t, "stranger")).Do(t.Context(), &api.DescribeClusterRequest{ClusterId: creating}, &api.DescribeClusterResponse{})
		if got := codeOf(t, err); got != "ClusterNotFound" {
			t.Errorf("code %s", got)
		}
	})
}

// counts is how much the store holds of a cluster.
type counts struct{ clusters, nodes, accounts, jobs, commands int }

func rows(t *testing.T, p *Plane, id string) (n counts) {
	t.Helper()
	tx, all := p.Store.Read(), store.Page{Number: 1, Size: 1}
	var err error
	if _, n.clusters, err = tx.Clusters(t.Context(), "", all); err != nil {
		t.Fatal(err)
	}
	list, err := tx.Nodes(t.Context(), id)
	must(t, err)
	n.nodes = len(list)
	_, n.accounts, err = tx.Accounts(t.Context(), id, all)
	must(t, err)
	jobs, err := tx.OpenJobs(t.Context(), id)
	must(t, err)
	n.jobs = len(jobs)
	_, n.commands, err = tx.Commands(t.Context(), id, "", nil, all)
	must(t, err)
	return n
}

// TestNodesThatARequestNamesBadly holds the actions on nodes to one answer each.
func TestNodesThatARequestNamesBadly(t *testing.T) {
	t.Parallel()
	p := Start(t, NewWorld(provfake.Options{}), Options{})
	id := p.Create(t, 0)
	must(t, call(t, p, "AddNodes", "ClusterId", id, "Count", "1", "ComputeSpotStrategy", "SpotAsPriceGo"))
	p.Until(t, "it runs", func() bool { return p.node(t, id, "compute000").Status == "running" })
	var made api.CreateClusterResponse
	must(t, p.Do(t.Context(), &api.CreateClusterRequest{Name: "box", DeployMode: "OneBox"}, &made))
	box := made.ClusterId
	p.Until(t, "the box runs", func() bool { return p.Describe(t, box).Status == "running" })
	compute := p.node(t, id, "compute000").Id
	many := slices.Repeat([]string{compute}, 251)
	for _, action := range []string{"DeleteNodes", "ReclaimNodes", "ResumeNodes"} {
		for _, c := range []struct {
			name, cluster string
			nodes         []string
			code, says    string
		}{
			{"one that is unknown", id, []string{compute, "i-none"}, "PartFailure", "Instance.2.Id: cluster " + id + " has no node \"i-none\""},
			{"one that runs no jobs", id, []string{p.node(t, id, "login0").Id}, "InvalidOpt", "Instance.1.Id: login0 is no compute node"},
			{"more than a cluster can have", id, many, "InvalidParams", "Instance has 251 entries, not 1 to 250"},
			{"one twice", id, []string{compute, compute}, "InvalidParams", "Instance.2.Id: compute000 is given twice"},
			{"a manager that runs jobs", box, []string{p.node(t, box, "manager").Id}, "InvalidOpt", "Instance.1.Id: manager is a manager, which goes with its cluster"},
		} {
			if c.cluster == box && action == "ResumeNodes" {
				continue // its machine stays
			}
			t.Run(action+" of "+c.name, func(t *testing.T) {
				in := url.Values{"ClusterId": {c.cluster}}
				for i, node := range c.nodes {
					in.Set(fmt.Sprintf("Instance.%d.Id", i+1), node)
				}
				before := p.dump(t)
				_, err := p.Call(t.Context(), action, in)
				if got := codeOf(t, err); got != c.code || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %s and %q", err, c.code, c.says)
				}
				p.unchanged(t, before)
			})
		}
	}
	t.Run("a command on several nodes, one of them unknown", func(t *testing.T) {
		before := p.dump(t)
		err := call(t, p, "InvokeShellCommand", "ClusterId", id, "Command", "true", "Instance.1.Id", compute, "Instance.2.Id", "i-none")
		if codeOf(t, err) != "PartFailure" || !strings.Contains(err.Error(), `1 of 2 are refused: Instance.2.Id: cluster `+id+` has no node "i-none"`) {
			t.Errorf("%v", err)
		}
		p.unchanged(t, before)
	})
	must(t, call(t, p, "ResumeNodes", "ClusterId", box, "Instance.1.Id", p.node(t, box, "manager").Id))
}
