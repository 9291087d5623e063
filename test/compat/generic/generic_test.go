// Package generic holds the service against the generic client of the newer Go
// SDKs, unmodified, with both kinds of signatures.
package generic

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	"github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"

	"ehpc/test/compat/mainjob"
)

func TestCallApiDoesTheMainJob(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run("over "+scheme, func(t *testing.T) {
			s := mainjob.Start(t, scheme)
			for name, algorithm := range map[string]*string{"ACS3": nil, "RPC v1": dara.String("v2")} {
				t.Run("signed with "+name, func(t *testing.T) {
					c, err := openapi.NewClient(&utils.Config{
						AccessKeyId:        &s.KeyID,
						AccessKeySecret:    &s.KeySecret,
						Endpoint:           &s.HostPort,
						Protocol:           &s.Scheme,
						RegionId:           &s.Region,
						SignatureAlgorithm: algorithm,
					})
					if err != nil {
						t.Fatal(err)
					}
					mainjob.Do(t.Context(), t, client{c}, "generic")
				})
			}
		})
	}
}

// client does the main job with CallApi.
type client struct{ sdk *openapi.Client }

// call sends the parameters, pairs of names and values, and decodes the answer.
func (c client) call(action string, answer any, pairs ...string) error {
	query := map[string]*string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query[pairs[i]] = &pairs[i+1]
	}
	params := &utils.Params{
		Action: &action, Version: dara.String("2018-04-12"), Protocol: c.sdk.Protocol, Pathname: dara.String("/"),
		Method: dara.String(http.MethodPost), AuthType: dara.String("AK"), Style: dara.String("RPC"),
		ReqBodyType: dara.String("formData"), BodyType: dara.String("json"),
	}
	runtime := &dara.RuntimeOptions{IgnoreSSL: dara.Bool(true)} // the certificate is the service's own
	result, err := c.sdk.CallApi(params, &utils.OpenApiRequest{Query: query}, runtime)
	if err != nil {
		return err
	}
	text, err := json.Marshal(result["body"])
	if err != nil {
		return err
	}
	return json.Unmarshal(text, answer)
}

func (c client) CreateCluster(name string, compute int) (string, error) {
	var answer struct{ ClusterId string }
	err := c.call("CreateCluster", &answer, "Name", name, "DeployMode", "Simple",
		"EcsOrder.Login.Count", "1", "EcsOrder.Compute.Count", strconv.Itoa(compute))
	return answer.ClusterId, err
}

func (c client) ClusterStatus(cluster string) (status, message string, err error) {
	var answer struct {
		ClusterInfo struct{ Status, ErrorMessage string }
	}
	err = c.call("DescribeCluster", &answer, "ClusterId", cluster)
	var refused *tea.SDKError
	if errors.As(err, &refused) && tea.StringValue(refused.Code) == "ClusterNotFound" && tea.IntValue(refused.StatusCode) == http.StatusNotFound {
		return "", "", nil
	}
	return answer.ClusterInfo.Status, answer.ClusterInfo.ErrorMessage, err
}

func (c client) DeleteCluster(cluster string) error {
	return c.call("DeleteCluster", new(struct{}), "ClusterId", cluster)
}

func (c client) AddUser(cluster, name, password string) error {
	return c.call("AddUsers", new(struct{}), "ClusterId", cluster,
		"User.1.Name", name, "User.1.Password", password, "User.1.Group", "users")
}

func (c client) CreateJobFile(cluster, path, content string, as mainjob.Account) error {
	return c.call("CreateJobFile", new(struct{}), "ClusterId", cluster, "TargetFile", path, "Content", content,
		"RunasUser", as.Name, "RunasUserPassword", as.Password)
}

func (c client) SubmitJob(cluster string, job mainjob.Job, as mainjob.Account) (string, error) {
	var answer struct{ JobId string }
	err := c.call("SubmitJob", &answer, "ClusterId", cluster, "Name", job.Name, "CommandLine", job.CommandLine,
		"PackagePath", job.Dir, "Node", strconv.Itoa(job.Nodes), "RunasUser", as.Name, "RunasUserPassword", as.Password)
	return answer.JobId, err
}

func (c client) Job(cluster, id string) (state, stdout string, err error) {
	var answer struct {
		Jobs struct {
			JobInfo []struct{ Id, State, Stdout string }
		}
	}
	if err := c.call("ListJobs", &answer, "ClusterId", cluster, "State", "all"); err != nil {
		return "", "", err
	}
	for _, j := range answer.Jobs.JobInfo {
		if j.Id == id {
			return j.State, j.Stdout, nil
		}
	}
	return "", "", fmt.Errorf("job %s is not listed", id)
}

func (c client) Managers(cluster string) (ids []string, err error) {
	var answer struct {
		Nodes struct{ NodeInfo []struct{ Id string } }
	}
	err = c.call("ListNodes", &answer, "ClusterId", cluster, "Role", "Manager")
	for _, n := range answer.Nodes.NodeInfo {
		ids = append(ids, n.Id)
	}
	return ids, err
}

func (c client) InvokeShellCommand(cluster, node, command string) (string, error) {
	var answer struct{ CommandId string }
	err := c.call("InvokeShellCommand", &answer, "ClusterId", cluster, "Instance.1.Id", node, "Command", command)
	return answer.CommandId, err
}

func (c client) CommandResult(cluster, command string) (status string, exitCode int, output string, err error) {
	var answer struct {
		InvocationResults struct {
			InvocationResult []struct {
				InvokeRecordStatus, Message string
				ExitCode                    int
			}
		}
	}
	err = c.call("ListInvocationResults", &answer, "ClusterId", cluster, "CommandId", command)
	if err != nil || len(answer.InvocationResults.InvocationResult) == 0 {
		return "", 0, "", err
	}
	result := answer.InvocationResults.InvocationResult[0]
	return result.InvokeRecordStatus, result.ExitCode, result.Message, nil
}
