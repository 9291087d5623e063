package mainjob

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Service is a dev service that a test started.
type Service struct {
	Scheme    string // http or https
	HostPort  string
	Region    string
	KeyID     string
	KeySecret string
	Data      string // its data directory
}

// Start runs a dev service until the test is over. It needs root and the
// programs of `make build`; where they are missing the test is skipped, or
// fails with EHPC_TEST_NO_SKIP=1.
func Start(t *testing.T, scheme string) Service {
	t.Helper()
	ehpc := program(t)
	data, err := os.MkdirTemp("/var/tmp", "ehpc-compat-")
	must(t, "make a data directory", err)
	args := []string{"dev", "--data", data, "--listen", "127.0.0.1:0"}
	if scheme == "https" {
		args = append(args, "--tls")
	}
	log, err := os.Create(filepath.Join(data, "server.log"))
	must(t, "make a log", err)
	cmd := exec.Command(ehpc, args...)
	cmd.Stdout, cmd.Stderr = log, log
	must(t, "start the service", cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { stop(t, ehpc, data, cmd, ended) })

	credentials := filepath.Join(data, "credentials.env")
	var values map[string]string
	await(t.Context(), t, "the service to start", time.Minute, func() (bool, error) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the service ended: %v\n%s", err, tail(log.Name()))
		default:
		}
		values = read(credentials)
		return values["EHPC_ENDPOINT"] != "" && client(t.Context(), ehpc, data, "cluster", "list").Run() == nil, nil
	})
	s := Service{Data: data, Region: values["EHPC_REGION"], KeyID: values["ALIBABA_CLOUD_ACCESS_KEY_ID"], KeySecret: values["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]}
	var ok bool
	if s.Scheme, s.HostPort, ok = strings.Cut(values["EHPC_ENDPOINT"], "://"); !ok || s.Scheme != scheme {
		t.Fatalf("the service serves %q, expected %s", values["EHPC_ENDPOINT"], scheme)
	}
	return s
}

// stop deletes what a failed test left, ends the service and removes its data.
func stop(t *testing.T, ehpc, data string, cmd *exec.Cmd, ended chan error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	left, err := client(ctx, ehpc, data, "cluster", "list", "-o", "id").Output()
	if err != nil {
		t.Errorf("cannot list the clusters that are left: %v", err)
	}
	for _, id := range strings.Fields(string(left)) {
		t.Errorf("cluster %s was left", id)
		if out, err := client(ctx, ehpc, data, "cluster", "delete", id, "--yes", "--wait").CombinedOutput(); err != nil {
			t.Errorf("cannot delete it: %v\n%s", err, out)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("cannot stop the service: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the service ended: %v", err)
	}
	if t.Failed() {
		t.Logf("the service's log:\n%s", tail(filepath.Join(data, "server.log")))
	}
	if err := os.RemoveAll(data); err != nil {
		t.Errorf("cannot remove the service's data: %v", err)
	}
}

// client is our own command line, which trusts the certificate that it finds
// beside the credentials.
func client(ctx context.Context, ehpc, data string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, ehpc, args...)
	cmd.Env = append(os.Environ(), "EHPC_CREDENTIALS="+filepath.Join(data, "credentials.env"))
	return cmd
}

// program is the path of ehpc; EHPC_BIN says in which directory.
func program(t *testing.T) string {
	t.Helper()
	missing := t.Skipf
	if os.Getenv("EHPC_TEST_NO_SKIP") == "1" {
		missing = t.Fatalf
	}
	dir := os.Getenv("EHPC_BIN")
	if dir == "" {
		missing("EHPC_BIN is not set: run make test")
	}
	if os.Getuid() != 0 {
		missing("nodes need root: run sudo make test")
	}
	path := filepath.Join(dir, "ehpc")
	if !exists(path) {
		missing("%s is not there: run make build", path)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func read(path string) map[string]string {
	values := map[string]string{}
	f, err := os.Open(path)
	if err != nil {
		return values
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			values[name] = value
		}
	}
	return values
}

func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8<<10):])
}
