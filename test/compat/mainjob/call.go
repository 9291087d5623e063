package mainjob

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// Call sends a request with the parameters, pairs of names and values, and
// decodes the answer; what is refused is a *Refused. It is a Client.
type Call func(action string, answer any, pairs ...string) error

// Refused is an answer that is an error, as the client under test tells it.
type Refused struct {
	Code, Message string
	Status        int // of HTTP
}

func (r *Refused) Error() string { return fmt.Sprintf("%d %s: %s", r.Status, r.Code, r.Message) }

func (c Call) CreateCluster(name string, compute int) (string, error) {
	var answer struct{ ClusterId string }
	err := c("CreateCluster", &answer, "Name", name, "DeployMode", "Simple",
		"EcsOrder.Login.Count", "1", "EcsOrder.Compute.Count", strconv.Itoa(compute))
	return answer.ClusterId, err
}

func (c Call) ClusterStatus(cluster string) (status, message string, err error) {
	var answer struct {
		ClusterInfo struct{ Status, ErrorMessage string }
	}
	err = c("DescribeCluster", &answer, "ClusterId", cluster)
	var refused *Refused
	if errors.As(err, &refused) && refused.Code == "ClusterNotFound" && refused.Status == http.StatusNotFound {
		return "", "", nil
	}
	return answer.ClusterInfo.Status, answer.ClusterInfo.ErrorMessage, err
}

func (c Call) DeleteCluster(cluster string) error {
	return c("DeleteCluster", new(struct{}), "ClusterId", cluster)
}

func (c Call) AddUser(cluster, name, password string) error {
	return c("AddUsers", new(struct{}), "ClusterId", cluster,
		"User.1.Name", name, "User.1.Password", password, "User.1.Group", "users")
}

func (c Call) CreateJobFile(cluster, path, content string, as Account) error {
	return c("CreateJobFile", new(struct{}), "ClusterId", cluster, "TargetFile", path, "Content", content,
		"RunasUser", as.Name, "RunasUserPassword", as.Password)
}

func (c Call) SubmitJob(cluster string, job Job, as Account) (string, error) {
	var answer struct{ JobId string }
	err := c("SubmitJob", &answer, "ClusterId", cluster, "Name", job.Name, "CommandLine", job.CommandLine,
		"PackagePath", job.Dir, "Node", strconv.Itoa(job.Nodes), "RunasUser", as.Name, "RunasUserPassword", as.Password)
	return answer.JobId, err
}

func (c Call) Job(cluster, id string) (state, stdout string, err error) {
	var answer struct {
		Jobs struct {
			JobInfo []struct{ Id, State, Stdout string }
		}
	}
	if err := c("ListJobs", &answer, "ClusterId", cluster, "State", "all"); err != nil {
		return "", "", err
	}
	for _, j := range answer.Jobs.JobInfo {
		if j.Id == id {
			return j.State, j.Stdout, nil
		}
	}
	return "", "", fmt.Errorf("job %s is not listed", id)
}

func (c Call) Managers(cluster string) (ids []string, err error) {
	var answer struct {
		Nodes struct{ NodeInfo []struct{ Id string } }
	}
	err = c("ListNodes", &answer, "ClusterId", cluster, "Role", "Manager")
	for _, n := range answer.Nodes.NodeInfo {
		ids = append(ids, n.Id)
	}
	return ids, err
}

func (c Call) InvokeShellCommand(cluster, node, command string) (string, error) {
	var answer struct{ CommandId string }
	err := c("InvokeShellCommand", &answer, "ClusterId", cluster, "Instance.1.Id", node, "Command", command)
	return answer.CommandId, err
}

func (c Call) CommandResult(cluster, command string) (status string, exitCode int, output string, err error) {
	var answer struct {
		InvocationResults struct {
			InvocationResult []struct {
				InvokeRecordStatus, Message string
				ExitCode                    int
			}
		}
	}
	err = c("ListInvocationResults", &answer, "ClusterId", cluster, "CommandId", command)
	if err != nil || len(answer.InvocationResults.InvocationResult) == 0 {
		return "", 0, "", err
	}
	result := answer.InvocationResults.InvocationResult[0]
	return result.InvokeRecordStatus, result.ExitCode, result.Message, nil
}
