package slurm

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ehpc/internal/hpc"
	"ehpc/internal/scheduler"
)

// restd is a client with a slurmrestd that answers as told, and an sbatch beside it.
type restd struct {
	*client
	sbatched *[]string // what sbatch submitted
	asked    []*http.Request
	bodies   [][]byte
	socket   string
	keys     string
}

var testKey = []byte("the cluster's key, 32 bytes long")

// answering is a slurmrestd; with the status 0 it hangs up.
func answering(t *testing.T, status int, text string) *restd {
	t.Helper()
	c, submitted, _ := sbatching(t, "")
	dir, err := os.MkdirTemp("", "rest") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &restd{client: c, sbatched: submitted, socket: filepath.Join(dir, "s"), keys: dir}
	l, err := net.Listen("unix", r.socket)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		r.asked, r.bodies = append(r.asked, q), append(r.bodies, body)
		if status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
		io.WriteString(w, text)
	}))
	web.Listener.Close()
	web.Listener = l
	web.Start()
	t.Cleanup(web.Close)
	c.rest = newRest(r.socket)
	c.rest.jwtKey, c.rest.submitKey = filepath.Join(dir, "jwt"), filepath.Join(dir, "submit")
	for path, text := range map[string]string{c.rest.jwtKey: string(testKey), c.rest.submitKey: submitKey(testKey) + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// held is how slurmrestd answers to a held job.
const held = `{"meta":{},"errors":[{"error_code":2042,"error":"Job dependency can't be satisfied"}],"job_id":7,"step_id":"BATCH","job_submit_user_msg":""}`

func failure(code string) string {
	return `{"meta":{},"errors":[{"error_code":` + code + `,"error":"so it is"}]}`
}

func TestRest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		text   string
		id     string // "7" of slurmrestd, "41" of sbatch
		err    error
	}{
		"a held job is submitted, whatever error stands beside its id": {200, held, "7", nil},
		"a job without any error is submitted":                         {200, `{"errors":[],"job_id":7}`, "7", nil},
		"sbatch submits what the controller refused":                   {500, failure("2000"), "41", nil},
		"sbatch submits what slurmrestd did not understand":            {500, `{"errors":[{"error_number":9202},{"error_code":9200}]}`, "41", nil},
		"sbatch submits what slurmrestd let nobody ask":                {401, "Authentication failure", "41", nil},
		"sbatch submits when there is no connection to the controller": {500, failure("1800"), "41", nil},
		"nobody knows when the controller's answer is missing":         {500, failure("1802"), "", scheduler.ErrUnavailable},
		"nobody knows after a time-out":                                {500, failure("5004"), "", scheduler.ErrUnavailable},
		"nobody knows after one of several errors":                     {500, `{"errors":[{"error_code":2000},{"error_code":1802}]}`, "", scheduler.ErrUnavailable},
		"nobody knows after nonsense":                                  {500, "<html>", "", nil},
		"nobody knows when no id and no error is told":                 {200, `{"errors":[]}`, "", nil},
		"nobody knows when the connection breaks":                      {0, "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := answering(t, c.status, c.text)
			id, err := r.Submit(t.Context(), spec())
			if id != c.id || (err == nil) != (c.id != "") || c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("got %q, %v", id, err)
			}
			if len(r.asked) != 1 || len(*r.sbatched) != map[string]int{"41": 1}[c.id] {
				t.Errorf("slurmrestd was asked %d times, and sbatch %d", len(r.asked), len(*r.sbatched))
			}
			if c.id != "" {
				return
			}
			if id, err := r.Submit(t.Context(), spec()); id != "41" || err != nil || len(r.asked) != 1 {
				t.Errorf("soon after slurmrestd was asked again, or sbatch not: %q, %v", id, err)
			}
			r.rest.paused.Store(time.Now().Add(-time.Second).Unix())
			if r.Submit(t.Context(), spec()); len(r.asked) != 2 {
				t.Error("later slurmrestd was not asked again")
			}
		})
	}
	for name, spoil := range map[string]func(r *restd, s *hpc.JobSpec){
		"slurmrestd is away":            func(r *restd, _ *hpc.JobSpec) { r.rest = newRest(r.socket + "x") },
		"there is no key":               func(r *restd, _ *hpc.JobSpec) { os.Remove(r.rest.jwtKey) },
		"the key is empty":              func(r *restd, _ *hpc.JobSpec) { os.Truncate(r.rest.jwtKey, 0) },
		"the plugin's key is missing":   func(r *restd, _ *hpc.JobSpec) { os.Remove(r.rest.submitKey) },
		"the script is no valid UTF-8":  func(_ *restd, s *hpc.JobSpec) { s.Script += "\xff" },
		"a variable is no valid UTF-8":  func(_ *restd, s *hpc.JobSpec) { s.Env = []hpc.EnvVar{{Name: "A", Value: "\xff"}} },
		"the directory is not in UTF-8": func(_ *restd, s *hpc.JobSpec) { s.Dir += "\xff" },
	} {
		t.Run("sbatch submits when "+name, func(t *testing.T) {
			t.Parallel()
			r, s := answering(t, 200, held), spec()
			spoil(r, &s)
			if id, err := r.Submit(t.Context(), s); id != "41" || err != nil || len(r.asked) != 0 {
				t.Errorf("got %q, %v", id, err)
			}
		})
	}
	t.Run("a caller that gives up leaves no submission half done", func(t *testing.T) {
		t.Parallel()
		r := answering(t, 200, held)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if id, err := r.Submit(ctx, spec()); id != "7" || err != nil {
			t.Errorf("got %q, %v", id, err)
		}
	})
}

func TestRestRequests(t *testing.T) {
	t.Parallel()
	r, s := answering(t, 200, held), spec()
	s.Nodes, s.Tasks, s.Threads, s.MemoryMB, s.GPUs, s.Walltime = 2, 3, 4, 512, 1, 3723e9
	s.Array, s.Priority, s.Queue, s.Stdout, s.Stderr = "1-9:2", 5, "night", "/o u t", "/e"
	s.Script = "#!/bin/sh\n#SBATCH -N 2\n</ü"
	s.Env = []hpc.EnvVar{{Name: "A", Value: "1"}, {Name: "A", Value: "\"2\"\n\u2028"}}
	for range 2 {
		if id, err := r.Submit(t.Context(), s); id != "7" || err != nil {
			t.Fatalf("got %q, %v", id, err)
		}
		s.Rerunable = true
	}
	var body struct {
		Script string
		Job    map[string]any
	}
	if err := json.Unmarshal(r.bodies[0], &body); err != nil {
		t.Fatal(err)
	}
	if body.Script != s.Script {
		t.Errorf("the script is %q", body.Script)
	}
	environment := body.Job["environment"].(map[string]any)
	if environment["A"] != "\"2\"\n\u2028" || environment["SLURM_NTASKS"] != "6" || environment["HOME"] != "/home/ann" {
		t.Errorf("the environment is %q", environment)
	}
	delete(body.Job, "environment")
	want := map[string]any{
		"hold": true, "wckey": "ehpctok", "comment": submitKey(testKey) + " -5", "nodes": "2", "tasks": 6.0, "tasks_per_node": 3.0,
		"cpus_per_task": 4.0, "name": "-x", "current_working_directory": "/home/ann", "standard_output": "/o u t", "standard_error": "/e",
		"partition": "night", "memory_per_node": "512M", "gres": "gpu:1", "time_limit": "62:03", "array": "1-9:2", "no_requeue": true,
	}
	for key := range body.Job {
		if body.Job[key] != want[key] {
			t.Errorf("%s is %v, want %v", key, body.Job[key], want[key])
		}
	}
	if len(body.Job) != len(want) {
		t.Errorf("the job is %v, want %v", body.Job, want)
	}
	if text := string(r.bodies[1]); !strings.Contains(text, `"requeue":true`) || strings.Contains(text, "no_requeue") {
		t.Errorf("the rerunable job is %s", text)
	}
	if h := r.asked[0].Header; h.Get("X-SLURM-USER-NAME") != "ann" || strings.Count(h.Get("X-SLURM-USER-TOKEN"), ".") != 2 {
		t.Errorf("the headers are %v", h)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 0)
	parts := strings.Split(accountToken([]byte("secret"), "ann", now), ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	if want := `{"iat":1700000000,"exp":1700000120,"sun":"ann"}`; err != nil || string(claims) != want {
		t.Errorf("the claims are %s, %v; want %s", claims, err, want)
	}
	// By another implementation: openssl dgst -sha256 -hmac secret.
	if parts[2] != "T3GpWnItj9VeVo1ZzJ166llQC3TDfuD1Kdl_UR7dudw" {
		t.Errorf("the signature is %s", parts[2])
	}
	if key := submitKey([]byte("secret")); len(key) != 64 || key == submitKey([]byte("secrets")) {
		t.Errorf("the plugin's key is %q", key)
	}
}

func FuzzRestAnswers(f *testing.F) {
	f.Add(200, held)
	f.Add(500, failure("2000"))
	f.Add(401, "Authentication failure")
	f.Add(200, `{"job_id":4294967296}`)
	f.Fuzz(func(t *testing.T, status int, text string) {
		if id, err := readAnswer(status, []byte(text)); (id == "") == (err == nil) || id == "0" {
			t.Errorf("got %q, %v", id, err)
		}
	})
}
