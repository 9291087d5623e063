// Package popcore holds the service against @alicloud/pop-core, the client of
// Node.js programs, unmodified.
package popcore

import (
	"bufio"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ehpc/test/compat/mainjob"
)

//go:embed client.js package.json package-lock.json
var program embed.FS

func TestPopCoreDoesTheMainJob(t *testing.T) {
	dir := install(t)
	for _, scheme := range []string{"http", "https"} {
		t.Run("over "+scheme, func(t *testing.T) {
			s := mainjob.Start(t, scheme)
			node := start(t, dir, s)
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				t.Run("with "+method, func(t *testing.T) {
					mainjob.Do(t.Context(), t, node.calling(method), "popcore")
				})
				t.Run("and is refused with "+method, func(t *testing.T) { refusals(t, node.calling(method)) })
				t.Run("and repeats itself with "+method, func(t *testing.T) { repeats(t, node.calling(method)) })
			}
		})
	}
}

// refusals are what its callers tell apart by code and status.
func refusals(t *testing.T, call mainjob.Call) {
	for name, c := range map[string]struct {
		code   string
		status int
		action string
		params []string
	}{
		"a cluster that is not there": {"ClusterNotFound", 404, "DescribeCluster", []string{"ClusterId", "ehpc-hz-none"}},
		"an action that is not there": {"InvalidAction.NotFound", 404, "NoSuchAction", nil},
		"a parameter that is missing": {"MissingClusterId", 400, "DescribeCluster", nil},
		"a value that is none":        {"InvalidParams", 400, "ListClusters", []string{"PageNumber", "many"}},
		"a page of no size":           {"InvalidParams", 400, "ListClusters", []string{"PageSize", "-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := call(c.action, new(struct{}), c.params...)
			var refused *mainjob.Refused
			if !errors.As(err, &refused) || refused.Code != c.code || refused.Status != c.status || refused.Message == "" {
				t.Errorf("got %v, expected %d %s", err, c.status, c.code)
			}
		})
	}
}

// repeats asks twice with one token, as a caller does whose answer was lost.
func repeats(t *testing.T, call mainjob.Call) {
	var first, again struct{ TemplateId string }
	params := []string{"Name", "popcore", "CommandLine", "true", "ClientToken", fmt.Sprintf("popcore-%d", time.Now().UnixNano())}
	if err := errors.Join(call("CreateJobTemplate", &first, params...), call("CreateJobTemplate", &again, params...)); err != nil {
		t.Fatal(err)
	}
	if first.TemplateId == "" || again != first {
		t.Errorf("the first answer was %q, the second %q", first.TemplateId, again.TemplateId)
	}
	params[1] = "other"
	var refused *mainjob.Refused
	if err := call("CreateJobTemplate", &again, params...); !errors.As(err, &refused) || refused.Code != "IdempotentParameterMismatch" {
		t.Errorf("the same token with another name got %v", err)
	}
	if err := call("DeleteJobTemplates", new(struct{}), "Templates", fmt.Sprintf(`[{"Id":%q}]`, first.TemplateId)); err != nil {
		t.Error(err)
	}
}

// install puts the client into a directory of the test's own.
func install(t *testing.T) string {
	t.Helper()
	missing := t.Skipf
	if os.Getenv("EHPC_TEST_NO_SKIP") == "1" {
		missing = t.Fatalf
	}
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			missing("%s is not there: install Node.js 18 or later", name)
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, program); err != nil {
		t.Fatal(err)
	}
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("cannot install pop-core: %v\n%s", err, out)
	}
	return dir
}

// node is a Node.js process that sends requests, one at a time.
type node struct {
	mu  sync.Mutex
	in  *json.Encoder
	out *bufio.Reader
}

func start(t *testing.T, dir string, s mainjob.Service) *node {
	t.Helper()
	cmd := exec.Command("node", "client.js")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "EHPC_ENDPOINT="+s.Scheme+"://"+s.HostPort,
		"ALIBABA_CLOUD_ACCESS_KEY_ID="+s.KeyID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET="+s.KeySecret)
	if s.Scheme == "https" {
		cmd.Env = append(cmd.Env, "NODE_EXTRA_CA_CERTS="+filepath.Join(s.Data, "tls.crt"))
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // it ends with its input
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("node ended: %v\n%s", err, errs.String())
		}
	})
	return &node{in: json.NewEncoder(in), out: bufio.NewReader(out)}
}

// calling sends requests with a method of HTTP.
func (n *node) calling(method string) mainjob.Call {
	return func(action string, answer any, pairs ...string) error {
		params := map[string]string{"RegionId": "cn-hangzhou"}
		for i := 0; i+1 < len(pairs); i += 2 {
			params[pairs[i]] = pairs[i+1]
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if err := n.in.Encode(map[string]any{"action": action, "params": params, "method": method}); err != nil {
			return err
		}
		line, err := n.out.ReadBytes('\n')
		if err != nil {
			return fmt.Errorf("node does not answer: %w", err)
		}
		var got struct {
			Answer  json.RawMessage
			Refused *mainjob.Refused
			Data    struct{ Code, Message, RequestId, HostId string }
		}
		if err := json.Unmarshal(line, &got); err != nil {
			return err
		}
		if got.Refused != nil {
			if got.Data.RequestId == "" {
				return fmt.Errorf("%s: %s", got.Refused.Code, got.Refused.Message)
			}
			return got.Refused
		}
		return json.Unmarshal(got.Answer, answer)
	}
}
