package ehpctest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/internal/config"
	"ehpc/internal/hpc"
	provfake "ehpc/internal/provider/fake"
	schedfake "ehpc/internal/scheduler/fake"
)

// files serves what jobs may ask for, and what they may not.
func files(t *testing.T) (url string) {
	t.Helper()
	var other string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/in put.txt":
			fmt.Fprint(w, "input")
		case "/large":
			w.Write(make([]byte, 1001))
		case "/slow":
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/inside":
			http.Redirect(w, r, other, http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.URL, "http://"))
	other = "http://127.0.0.2:" + port + "/in%20put.txt"
	t.Cleanup(s.Close)
	return s.URL
}

func withFiles(t *testing.T, w *World, change func(*config.Config)) *Plane {
	t.Helper()
	p := Start(t, w, Options{Config: func(c *config.Config) {
		c.InputFiles = config.InputFiles{Limit: 1000, Timeout: 300 * time.Millisecond, Allow: []string{"127.0.0.1/32"}}
		if change != nil {
			change(c)
		}
	}})
	p.Service.Lookup = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.1.2.3")}, nil
	}
	return p
}

func TestAJobFindsItsInputFile(t *testing.T) {
	t.Parallel()
	base := files(t)
	w := NewWorld(provfake.Options{})
	p := withFiles(t, w, nil)
	id := withAccount(t, w, p, 1)
	manager := w.Agent(p.Nodes(t, id)[0].Id)
	var script, there string
	w.SchedulerOf(id).Script(func(spec hpc.JobSpec, _ string) schedfake.Outcome {
		manager.mu.Lock()
		defer manager.mu.Unlock()
		script, there = spec.Script, manager.Files["worker /home/worker/runs/in put.txt"]
		return schedfake.Outcome{}
	})
	q := job(id, "./run.sh")
	q.InputFileUrl, q.PackagePath, q.UnzipCmd, q.PostCmdLine = base+"/in%20put.txt", "~/runs", "tar xf 'in put.txt'", "rm -f core"
	p.untilState(t, id, p.submit(t, q), "COMPLETED")
	if there != "input" {
		t.Errorf("when the job ran its file held %q", there)
	}
	unpack, run, after := strings.Index(script, "tar xf"), strings.Index(script, "./run.sh"), strings.Index(script, "rm -f core")
	if unpack < 0 || run < unpack || after < run {
		t.Errorf("the steps are not in order in\n%s", script)
	}
}

func TestAJobWhoseInputFileCannotBeHadIsRefused(t *testing.T) {
	t.Parallel()
	base := files(t)
	w := NewWorld(provfake.Options{})
	p := withFiles(t, w, nil)
	id := withAccount(t, w, p, 1)
	manager := w.Agent(p.Nodes(t, id)[0].Id)
	before := p.dump(t)
	for _, c := range []struct{ name, url, dir, says string }{
		{"a file that is not there", base + "/none?signature=secret", "", "InputFileUrl: the server answered 404"},
		{"a file that is too large", base + "/large", "", "InputFileUrl: the file is larger than 1000 bytes"},
		{"a server that is too slow", base + "/slow", "", "InputFileUrl: it was not fetched within 300ms"},
		{"a redirect to loopback", base + "/inside", "", "InputFileUrl: 127.0.0.2 leads to 127.0.0.2, which is not a public address"},
		{"a name of a private address", "http://files.example/x", "", "InputFileUrl: files.example leads to 10.1.2.3, which is not a public address"},
		{"a metadata service", "http://169.254.169.254/x", "", "InputFileUrl: 169.254.169.254"},
		{"another scheme", "file:///etc/passwd", "", "InputFileUrl: only http and https"},
		{"a URL without a file", base + "/", "", "InputFileUrl: its path does not end with the name of a file"},
		{"a directory outside the home", base + "/in%20put.txt", "/tmp", `PackagePath: "/tmp" is not inside`},
		{"a directory with dots in it", base + "/in%20put.txt", "~/../root", `PackagePath: "~/../root" is not inside`},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := job(id, "./run.sh")
			q.InputFileUrl, q.PackagePath = c.url, c.dir
			err := p.Do(t.Context(), q, &api.SubmitJobResponse{})
			if got := codeOf(t, err); got != "InvalidParams" || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want InvalidParams and a message with %q", err, c.says)
			}
			p.unchanged(t, before)
			if w.queued(t, id) != 0 || len(manager.Files) != 0 {
				t.Errorf("the scheduler has %d jobs, the node the files %v", w.queued(t, id), manager.Files)
			}
		})
	}
}

func TestAServiceMayFetchNothing(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := withFiles(t, w, func(c *config.Config) { c.InputFiles.Limit = 0 })
	q := job(withAccount(t, w, p, 1), "./run.sh")
	q.InputFileUrl = files(t) + "/in%20put.txt"
	err := p.Do(t.Context(), q, &api.SubmitJobResponse{})
	if got := codeOf(t, err); got != "InvalidParams" || !strings.Contains(err.Error(), "InputFileUrl: this service fetches no files") {
		t.Errorf("%v", err)
	}
}

func TestAnInputFileThatTheAccountCannotHaveIsRefused(t *testing.T) {
	t.Parallel()
	w := NewWorld(provfake.Options{})
	p := withFiles(t, w, nil)
	id := withAccount(t, w, p, 1)
	w.Agent(p.Nodes(t, id)[0].Id).DenyFiles()
	before := p.dump(t)
	q := job(id, "./run.sh")
	q.InputFileUrl = files(t) + "/in%20put.txt"
	err := p.Do(t.Context(), q, &api.SubmitJobResponse{})
	if got := codeOf(t, err); got != "InvalidParams" || !strings.Contains(err.Error(), "InputFileUrl: the file cannot be put at /home/worker/in put.txt") {
		t.Errorf("%v", err)
	}
	p.unchanged(t, before)
}
