package e2e

import (
	"strings"
	"testing"

	"ehpc/api"
	"ehpc/test/e2e/rig"
)

func testRefusals(t *testing.T, c *rig.Cluster) {
	bad := c.AddAccount(t, "ramanujan", "users")
	manager := c.Node(t, "manager").Id
	for name, test := range map[string]struct {
		code    string
		request any
	}{
		"an unknown cluster":            {"ClusterNotFound", &api.DescribeClusterRequest{ClusterId: "ehpc-hz-nobodyknows"}},
		"a duplicate account":           {"UsernameExist", &api.AddUsersRequest{ClusterId: c.ID, User: []api.AddUsersRequestUser{{Name: bad.Name, Group: "users", Password: bad.Password}}}},
		"a name of the system's":        {"InvalidParams", &api.AddUsersRequest{ClusterId: c.ID, User: []api.AddUsersRequestUser{{Name: "daemon", Group: "users", Password: bad.Password}}}},
		"more nodes than fit":           {"EcsError", &api.AddNodesRequest{ClusterId: c.ID, Count: 99, InstanceType: "ecs.scch5.16xlarge"}},
		"deleting the manager":          {"InvalidOpt", &api.DeleteNodesRequest{ClusterId: c.ID, ReleaseInstance: true, Instance: []api.DeleteNodesRequestInstance{{Id: manager}}}},
		"a command that is too long":    {"InvalidParams", &api.InvokeShellCommandRequest{ClusterId: c.ID, Command: strings.Repeat("x", 2049)}},
		"a command with NUL":            {"InvalidParams", &api.InvokeShellCommandRequest{ClusterId: c.ID, Command: "a\x00b"}},
		"a script with NUL":             {"InvalidParams", &api.SubmitJobRequest{ClusterId: c.ID, CommandLine: "a\x00b", RunasUser: bad.Name, RunasUserPassword: bad.Password}},
		"an unknown account":            {"IncorrectCredential", &api.SubmitJobRequest{ClusterId: c.ID, CommandLine: "true", RunasUser: "stranger", RunasUserPassword: bad.Password}},
		"an image that is not there":    {"ImageNotSupported", &api.CreateClusterRequest{Name: "other", OsTag: "CentOS_7.2_64"}},
		"a scheduler that is not there": {"InvalidSoftware", &api.CreateClusterRequest{Name: "other", SchedulerType: "pbs"}},
	} {
		t.Run(name, func(t *testing.T) {
			if message := c.Refused(t, test.code, test.request); len(message) < 10 {
				t.Errorf("the message %q says nothing", message)
			}
		})
	}
	if jobs := c.Jobs(t); len(jobs) > 0 {
		for _, job := range jobs {
			if job.Owner == bad.Name {
				t.Errorf("a refused job is there: %+v", job)
			}
		}
	}
}
