package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ehpc/api"
)

// service is the API as a test scripts it: what each action answers, in order;
// the last answer is repeated.
type service struct {
	t       *testing.T
	mu      sync.Mutex
	answers map[string][]any
	asked   []url.Values
	address string
}

// refusal is an answer that is an error.
type refusal struct {
	code    api.Code
	message string
}

func newService(t *testing.T, answers map[string][]any) *service {
	t.Helper()
	s := &service{t: t, answers: answers}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.address = server.URL
	return s
}

func (s *service) serve(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.t.Error(err)
	}
	answer := s.next(r.Form)
	if no, ok := answer.(refusal); ok {
		w.WriteHeader(no.code.HTTP)
		answer = map[string]string{"Code": no.code.Name, "Message": no.message, "RequestId": "REQ-1"}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		s.t.Error(err)
	}
}

func (s *service) next(form url.Values) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, form)
	left := s.answers[form.Get("Action")]
	if len(left) == 0 {
		s.t.Errorf("unexpected %s", form.Get("Action"))
		return refusal{api.InternalError, "unexpected"}
	}
	if len(left) > 1 {
		s.answers[form.Get("Action")] = left[1:]
	}
	return left[0]
}

// request is the last one of an action.
func (s *service) request(action string) url.Values {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.asked) - 1; i >= 0; i-- {
		if s.asked[i].Get("Action") == action {
			return s.asked[i]
		}
	}
	s.t.Fatalf("%s was not called", action)
	return nil
}

// outcome is what a command printed and its exit status.
type outcome struct {
	out, err string
	status   int
}

// run runs a command line against the service; env is pairs of names and values.
func (s *service) run(stdin string, env []string, args ...string) outcome {
	s.t.Helper()
	set := map[string]string{envEndpoint: s.address, envKeyID: "id", envKeySecret: "secret"}
	for i := 0; i+1 < len(env); i += 2 {
		set[env[i]] = env[i+1]
	}
	return runWith(s.t, set, stdin, args...)
}

// runOn runs a command line whose output goes to a terminal.
func (s *service) runOn(to *os.File, args ...string) outcome {
	s.t.Helper()
	env := map[string]string{envEndpoint: s.address, envKeyID: "id", envKeySecret: "secret"}
	var errs bytes.Buffer
	status := runTo(s.t, env, "", to, &errs, args)
	return outcome{"", errs.String(), status}
}

func runWith(t *testing.T, env map[string]string, stdin string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	status := runTo(t, env, stdin, &out, &errs, args)
	return outcome{out.String(), errs.String(), status}
}

func runTo(t *testing.T, env map[string]string, stdin string, out, errs io.Writer, args []string) (status int) {
	t.Helper()
	root := newRoot(&cli{env: func(name string) string { return env[name] }, every: time.Millisecond})
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(out)
	root.SetErr(errs)
	root.SetArgs(args)
	return execute(t.Context(), root)
}

func (o outcome) want(t *testing.T, status int, out, errs string) {
	t.Helper()
	if o.status != status || !strings.Contains(o.out, out) || !strings.Contains(o.err, errs) {
		t.Errorf("status %d, expected %d\nout %q, expected %q\nerr %q, expected %q", o.status, status, o.out, out, o.err, errs)
	}
}

func clusters(named ...string) api.ListClustersResponse {
	answer := api.ListClustersResponse{TotalCount: len(named), PageNumber: 1, PageSize: 50}
	for i, name := range named {
		answer.Clusters.ClusterInfoSimple = append(answer.Clusters.ClusterInfoSimple,
			api.ListClustersClusterInfoSimple{Id: fmt.Sprintf("ehpc-hz-%d", i+1), Name: name, Status: "running", SchedulerType: "slurm"})
	}
	return answer
}

func cluster(status, message string) api.DescribeClusterResponse {
	return api.DescribeClusterResponse{ClusterInfo: api.DescribeClusterClusterInfo{Id: "ehpc-hz-1", Name: "lab", Status: status, ErrorMessage: message}}
}

// nodes makes nodes of "hostname status" pairs; the first is the manager, the
// second the login node.
func nodes(named ...string) api.ListNodesResponse {
	answer := api.ListNodesResponse{TotalCount: len(named), PageNumber: 1, PageSize: 50}
	for i, text := range named {
		host, status, _ := strings.Cut(text, " ")
		role := []string{"Scheduler", "Login", "Compute"}[min(i, 2)]
		answer.Nodes.NodeInfo = append(answer.Nodes.NodeInfo,
			api.ListNodesNodeInfo{Id: fmt.Sprintf("i-%d", i+1), HostName: host, Status: status, Roles: api.ListNodesRoles{Role: []string{role}}})
	}
	return answer
}

func jobs(all ...api.ListJobsJobInfo) api.ListJobsResponse {
	return api.ListJobsResponse{TotalCount: len(all), PageNumber: 1, PageSize: 50, Jobs: api.ListJobsJobs{JobInfo: all}}
}

func results(all ...api.ListInvocationResultsInvocationResult) api.ListInvocationResultsResponse {
	answer := api.ListInvocationResultsResponse{TotalCount: len(all), PageNumber: 1, PageSize: 50}
	answer.InvocationResults.InvocationResult = all
	return answer
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args   []string
		status int
		err    string
	}{
		"an unknown command is a usage error":              {[]string{"foo"}, 2, `unknown command "foo"`},
		"a command that was nearly right is suggested":     {[]string{"cluster", "lst"}, 2, "did you mean list?"},
		"a missing argument is named":                      {[]string{"job", "show", "lab"}, 2, "missing JOB"},
		"one argument too many is named":                   {[]string{"cluster", "show", "a", "b"}, 2, `unexpected argument "b"`},
		"an unknown flag is a usage error":                 {[]string{"cluster", "list", "--foo"}, 2, "unknown flag: --foo"},
		"an unknown output is a usage error":               {[]string{"cluster", "list", "-o", "xml"}, 2, "unknown output"},
		"a job needs an account":                           {[]string{"job", "submit", "lab", "--", "true"}, 2, "missing --as"},
		"a missing credentials file is named":              {[]string{"cluster", "list", "--credentials", "/nowhere/x"}, 1, "/nowhere/x"},
		"what is not configured is listed":                 {[]string{"cluster", "list"}, 1, "ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET, EHPC_ENDPOINT not set"},
		"an unknown action is suggested":                   {[]string{"call", "ListClustrs"}, 2, "did you mean ListClusters?"},
		"an unknown parameter is refused":                  {[]string{"call", "ListJobs", "--Clusterid", "x"}, 2, "did you mean ClusterId"},
		"a secret is not taken from the arguments":         {[]string{"call", "AddUsers", "--User.1.Password", "x"}, 2, "@FILE"},
		"a parameter without a value is a usage error":     {[]string{"call", "ListJobs", "--ClusterId"}, 2, "has no value"},
		"there is no flag that takes a password":           {[]string{"user", "add", "lab", "lovelace", "--password", "x"}, 2, "unknown flag"},
		"the help of a group is no error":                  {[]string{"cluster"}, 0, ""},
		"a shell command needs to be there":                {[]string{"exec", "lab"}, 2, "missing COMMAND"},
		"an endpoint that nobody serves comes with advice": {[]string{"cluster", "list", "--endpoint", "127.0.0.1:1"}, 1, "ALIBABA_CLOUD_ACCESS_KEY_ID"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runWith(t, nil, "", c.args...).want(t, c.status, "", c.err)
		})
	}
}

func TestTheServicesOwnCertificateIsTrusted(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(clusters("lab")); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	dir := t.TempDir()
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("credentials.env", []byte("EHPC_ENDPOINT="+server.URL+"\nALIBABA_CLOUD_ACCESS_KEY_ID=a\nALIBABA_CLOUD_ACCESS_KEY_SECRET=b\n"))
	env := map[string]string{envCredentials: filepath.Join(dir, "credentials.env")}

	runWith(t, env, "", "cluster", "list").want(t, 1, "", "trust the tls.crt")
	write("tls.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	runWith(t, env, "", "cluster", "list").want(t, 0, "lab", "")
}

func TestWhereSettingsComeFrom(t *testing.T) {
	t.Parallel()
	file := func(t *testing.T, text string) string {
		path := filepath.Join(t.TempDir(), "credentials.env")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const whole = "EHPC_ENDPOINT=http://file:1\nEHPC_REGION=of-file\nALIBABA_CLOUD_ACCESS_KEY_ID=file-id\nALIBABA_CLOUD_ACCESS_KEY_SECRET=file-secret\n"
	for name, c := range map[string]struct {
		flags connection
		env   map[string]string
		file  string // named by EHPC_CREDENTIALS, or by a flag
		named bool
		want  string // endpoint, region, id, secret, token
	}{
		"a file alone":                        {file: whole, want: "http://file:1 of-file file-id file-secret "},
		"the environment comes before a file": {file: whole, env: map[string]string{envEndpoint: "http://env:1", envRegion: "of-env"}, want: "http://env:1 of-env file-id file-secret "},
		"flags come before all":               {flags: connection{endpoint: "http://flag:1", region: "of-flag"}, env: map[string]string{envEndpoint: "http://env:1", envRegion: "of-env"}, file: whole, want: "http://flag:1 of-flag file-id file-secret "},
		"a file that a flag names comes before the environment": {named: true, env: map[string]string{envEndpoint: "http://env:1", envKeyID: "env-id", envKeySecret: "env-secret"}, file: whole,
			want: "http://file:1 of-file file-id file-secret "},
		"an id and a secret are of one place": {file: whole, env: map[string]string{"ALICLOUD_ACCESS_KEY_ID": "old-id", "ALICLOUD_ACCESS_KEY_SECRET": "old-secret"}, want: "http://file:1 of-file old-id old-secret "},
		"the SDKs' names": {env: map[string]string{envEndpoint: "e", envKeyID: "id", envKeySecret: "secret", "ALIBABA_CLOUD_SECURITY_TOKEN": "token", "ALIBABA_CLOUD_REGION_ID": "r", "ALICLOUD_ACCESS_KEY": "not", "ALICLOUD_SECRET_KEY": "not"},
			want: "e r id secret token"},
		"Terraform's names":                 {env: map[string]string{envEndpoint: "e", "ALICLOUD_ACCESS_KEY": "id", "ALICLOUD_SECRET_KEY": "secret", "ALICLOUD_REGION": "r"}, want: "e r id secret "},
		"a half key is not filled up":       {file: whole, env: map[string]string{envKeyID: "env-id"}, want: "ALIBABA_CLOUD_ACCESS_KEY_SECRET not set"},
		"our region comes before a cloud's": {env: map[string]string{envEndpoint: "e", envKeyID: "i", envKeySecret: "s", envRegion: "ours", "ALIBABA_CLOUD_REGION_ID": "theirs"}, want: "e ours i s "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := maps.Clone(c.env)
			if env == nil {
				env = map[string]string{}
			}
			if c.file != "" && c.named {
				c.flags.file = file(t, c.file)
			} else if c.file != "" {
				env[envCredentials] = file(t, c.file)
			}
			got, err := c.flags.config(func(name string) string { return env[name] })
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, expected %q", err, c.want)
				}
				return
			}
			if text := strings.Join([]string{got.Endpoint, got.Region, got.AccessKeyID, got.AccessKeySecret, got.SecurityToken}, " "); text != c.want {
				t.Errorf("got %q, expected %q", text, c.want)
			}
		})
	}
}

func TestCheckConfig(t *testing.T) {
	t.Parallel()
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "ehpc.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	runWith(t, nil, "", "check-config", write("max_nodes: 7\n")).want(t, 0, "is good", "")
	got := runWith(t, nil, "", "check-config", write("region: x\nregoin: y\nmax_nodes: 0\n"))
	got.want(t, 1, "", "line 2: unknown key regoin\n")
	got.want(t, 1, "", "max_nodes 0")
	runWith(t, nil, "", "check-config", "/nowhere/ehpc.yaml").want(t, 1, "", "/nowhere/ehpc.yaml")
	runWith(t, nil, "", "check-config").want(t, 2, "", "missing FILE")
}
