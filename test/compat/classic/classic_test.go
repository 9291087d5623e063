// Package classic holds the service against the typed client of the official
// Go SDK v1, unmodified: the release of go.mod, and with -modfile an older one.
package classic

import (
	"errors"
	"net/http"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ehpc"

	"ehpc/test/compat/mainjob"
)

func TestTypedClientDoesTheMainJob(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run("over "+scheme, func(t *testing.T) {
			s := mainjob.Start(t, scheme)
			config := sdk.NewConfig().WithScheme(map[string]string{"http": "HTTP", "https": "HTTPS"}[scheme])
			c, err := ehpc.NewClientWithOptions(s.Region, config, credentials.NewAccessKeyCredential(s.KeyID, s.KeySecret))
			if err != nil {
				t.Fatal(err)
			}
			c.Domain = s.HostPort
			c.SetHTTPSInsecure(true) // the certificate is the service's own
			mainjob.Do(t.Context(), t, client{c}, "classic", client{c}.scales, client{c}.knowsPrices, client{c}.accounts)
		})
	}
}

// client does the main job with the typed client.
type client struct{ sdk *ehpc.Client }

func (c client) CreateCluster(name string, compute int) (string, error) {
	r := ehpc.CreateCreateClusterRequest()
	r.Name, r.EhpcVersion, r.OsTag, r.SchedulerType = name, "1.0.0", "Debian_12_64", "slurm"
	r.DeployMode = "Simple"
	r.EcsOrderLoginCount = requests.NewInteger(1)
	r.EcsOrderComputeCount = requests.NewInteger(compute)
	answer, err := c.sdk.CreateCluster(r)
	if err != nil {
		return "", err
	}
	return answer.ClusterId, nil
}

func (c client) ClusterStatus(cluster string) (status, message string, err error) {
	r := ehpc.CreateDescribeClusterRequest()
	r.ClusterId = cluster
	answer, err := c.sdk.DescribeCluster(r)
	var refused sdkerrors.Error
	if errors.As(err, &refused) && refused.ErrorCode() == "ClusterNotFound" && refused.HttpStatus() == http.StatusNotFound {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	return answer.ClusterInfo.Status, "", nil
}

func (c client) DeleteCluster(cluster string) error {
	r := ehpc.CreateDeleteClusterRequest()
	r.ClusterId = cluster
	_, err := c.sdk.DeleteCluster(r)
	return err
}

func (c client) AddUser(cluster, name, password string) error {
	r := ehpc.CreateAddUsersRequest()
	r.ClusterId = cluster
	r.User = &[]ehpc.AddUsersUser{{Name: name, Password: password, Group: "users"}}
	_, err := c.sdk.AddUsers(r)
	return err
}

func (c client) CreateJobFile(cluster, path, content string, as mainjob.Account) error {
	r := ehpc.CreateCreateJobFileRequest()
	r.ClusterId, r.TargetFile, r.Content = cluster, path, content
	r.RunasUser, r.RunasUserPassword = as.Name, as.Password
	_, err := c.sdk.CreateJobFile(r)
	return err
}

func (c client) SubmitJob(cluster string, job mainjob.Job, as mainjob.Account) (string, error) {
	r := ehpc.CreateSubmitJobRequest()
	r.ClusterId, r.Name, r.CommandLine, r.PackagePath = cluster, job.Name, job.CommandLine, job.Dir
	r.RunasUser, r.RunasUserPassword = as.Name, as.Password
	setNodes(r, job.Nodes)
	answer, err := c.sdk.SubmitJob(r)
	if err != nil {
		return "", err
	}
	return answer.JobId, nil
}

func (c client) Job(cluster, id string) (state, stdout string, err error) {
	r := ehpc.CreateListJobsRequest()
	r.ClusterId, r.State = cluster, "all"
	answer, err := c.sdk.ListJobs(r)
	if err != nil {
		return "", "", err
	}
	for _, j := range answer.Jobs.JobInfo {
		if j.Id == id {
			return j.State, j.Stdout, nil
		}
	}
	return "", "", errors.New("the job is not listed")
}

func (c client) Managers(cluster string) (ids []string, err error) {
	r := ehpc.CreateListNodesRequest()
	r.ClusterId, r.Role = cluster, "Manager"
	answer, err := c.sdk.ListNodes(r)
	if err != nil {
		return nil, err
	}
	for _, n := range answer.Nodes.NodeInfo {
		ids = append(ids, n.Id)
	}
	return ids, nil
}

func (c client) InvokeShellCommand(cluster, node, command string) (string, error) {
	r := ehpc.CreateInvokeShellCommandRequest()
	r.ClusterId, r.Command = cluster, command
	r.Instance = &[]ehpc.InvokeShellCommandInstance{{Id: node}}
	answer, err := c.sdk.InvokeShellCommand(r)
	if err != nil {
		return "", err
	}
	return answer.CommandId, nil
}

func (c client) CommandResult(cluster, command string) (status string, exitCode int, output string, err error) {
	r := ehpc.CreateListInvocationResultsRequest()
	r.ClusterId, r.CommandId = cluster, command
	answer, err := c.sdk.ListInvocationResults(r)
	if err != nil || len(answer.InvocationResults.InvocationResult) == 0 {
		return "", 0, "", err
	}
	result := answer.InvocationResults.InvocationResult[0]
	return result.InvokeRecordStatus, result.ExitCode, result.Message, nil
}
