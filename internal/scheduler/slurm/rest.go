package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"ehpc/internal/hpc"
)

const (
	jwtKeyPath    = confDir + "/jwt.key"
	submitKeyPath = confDir + "/submit.key"
	restDir       = "/run/slurmrestd"
	restSocket    = restDir + "/socket"
	// restConnections are as many as slurmrestd has threads.
	restConnections = 20
	// restTimeout is longer than slurmrestd waits for the controller.
	restTimeout = 30 * time.Second
	// restPause is how long slurmrestd is left alone after it did not answer.
	restPause = time.Minute
	// answerLimit bounds what slurmrestd answers, in bytes.
	answerLimit = 64 << 10
)

// errNotSubmitted: the controller certainly has no job of this request.
var errNotSubmitted = errors.New("not submitted")

// rest submits jobs through slurmrestd on this node: it is there already, where
// sbatch has to be started for each job.
type rest struct {
	url       string
	http      *http.Client
	jwtKey    string // files that root and the controller read
	submitKey string
	paused    atomic.Int64 // until when, in Unix time
}

func newRest(socket string) *rest {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &rest{
		url: "http://slurmrestd/slurm/v0.0.38/job/submit",
		http: &http.Client{Transport: &http.Transport{
			DialContext: dial, MaxConnsPerHost: restConnections, MaxIdleConnsPerHost: restConnections,
			DisableCompression: true, IdleConnTimeout: time.Minute,
		}},
		jwtKey: jwtKeyPath, submitKey: submitKeyPath,
	}
}

// submit hands a job over. The error is errNotSubmitted or errInexpressible if
// sbatch may be asked instead; with any other nobody knows.
func (r *rest) submit(ctx context.Context, job hpc.JobSpec) (id string, err error) {
	if time.Now().Unix() < r.paused.Load() {
		return "", fmt.Errorf("%w: slurmrestd did not answer lately", errNotSubmitted)
	}
	request, err := r.request(job)
	if err != nil {
		return "", err
	}
	// A caller that gives up does not make the outcome unknown.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restTimeout)
	defer cancel()
	id, err = r.do(request.WithContext(ctx))
	if err != nil && !errors.Is(err, errNotSubmitted) {
		r.paused.Store(time.Now().Add(restPause).Unix())
	}
	return id, err
}

func (r *rest) request(job hpc.JobSpec) (*http.Request, error) {
	key, err := os.ReadFile(r.jwtKey)
	if err == nil && len(key) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errNotSubmitted, err)
	}
	mark, err := os.ReadFile(r.submitKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errNotSubmitted, err)
	}
	body, err := restBody(job, strings.TrimSpace(string(mark)))
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-SLURM-USER-NAME", job.Account)
	request.Header.Set("X-SLURM-USER-TOKEN", accountToken(key, job.Account, time.Now()))
	return request, nil
}

// do sends the request. net/http sends a POST again only if nothing of it was
// written.
func (r *rest) do(request *http.Request) (id string, err error) {
	answer, err := r.http.Do(request)
	if dial := new(net.OpError); errors.As(err, &dial) && dial.Op == "dial" {
		return "", fmt.Errorf("%w: %v", errNotSubmitted, err)
	}
	if err != nil {
		return "", fmt.Errorf("slurmrestd did not answer: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	if err != nil {
		return "", fmt.Errorf("slurmrestd did not answer: %w", err)
	}
	return readAnswer(answer.StatusCode, text)
}
