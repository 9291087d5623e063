package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"ehpc/api"
	"ehpc/client"
	"ehpc/test/e2e/rig"
)

const (
	// submitters is how many clients submit at once.
	submitters = 2
	// pace is a client's pause between two jobs: together they submit less than a
	// small cluster runs, so that the jobs start at once.
	pace = 500 * time.Millisecond
	// lostLimit is how long a client repeats a request that is not answered.
	lostLimit = 3 * time.Minute
)

// submission is a job that a client has asked for, and what it was told.
type submission struct {
	name     string
	rerun    bool
	id       string // what was answered, "" if it was refused
	refusal  error
	repeated int // how often it was asked again because no answer came
}

// stream is a stream of jobs that each append their name to the file "names" of
// their account's home, as their last act.
type stream struct {
	c    *rig.Cluster
	as   rig.Account
	mark string // begins the names

	restarting sync.RWMutex // while there is another service, with another address

	mu  sync.Mutex
	all []*submission
}

// run submits until stop is closed.
func (s *stream) run(t *testing.T, stop <-chan struct{}) {
	var clients sync.WaitGroup
	for n := range submitters {
		clients.Go(func() {
			for i := 0; ; i++ {
				job := &submission{name: fmt.Sprintf("%s.%d.%d", s.mark, n, i), rerun: i%2 == 0}
				s.submit(t, job)
				s.mu.Lock()
				s.all = append(s.all, job)
				s.mu.Unlock()
				select {
				case <-stop:
					return
				case <-t.Context().Done():
					return
				case <-time.After(pace):
				}
			}
		})
	}
	clients.Wait()
}

// submit asks for a job until there is an answer, with one client token.
func (s *stream) submit(t *testing.T, job *submission) {
	params := submitParams(s.c, s.as, job.name, "sleep 0.05; echo "+job.name+" >> names", job.rerun)
	for began := time.Now(); ; job.repeated++ {
		s.restarting.RLock()
		service := s.c.Client
		s.restarting.RUnlock()
		job.id, job.refusal = submitOnce(t.Context(), service, params)
		var refused *client.Error
		if job.refusal == nil || errors.As(job.refusal, &refused) || t.Context().Err() != nil {
			return
		}
		if time.Since(began) > lostLimit {
			t.Errorf("SubmitJob of %s is not answered for %s: %v", job.name, lostLimit, job.refusal)
			return
		}
	}
}

// submitParams is a request with a client token of its own.
func submitParams(c *rig.Cluster, as rig.Account, name, command string, rerun bool) url.Values {
	return url.Values{"ClusterId": {c.ID}, "RunasUser": {as.Name}, "RunasUserPassword": {as.Password}, "Name": {name},
		"CommandLine": {command}, "ReRunable": {strconv.FormatBool(rerun)}, "ClientToken": {rand.Text()}}
}

func submitOnce(ctx context.Context, service *client.Client, params url.Values) (id string, err error) {
	answer, err := service.Call(ctx, "SubmitJob", params)
	if err != nil {
		return "", err
	}
	var a api.SubmitJobResponse
	if err := json.Unmarshal(answer, &a); err != nil {
		return "", err
	}
	return a.JobId, nil
}

// restart kills the service and starts it again, on the same data.
func (s *stream) restart(t *testing.T) {
	t.Helper()
	s.c.Kill()
	s.restarting.Lock()
	defer s.restarting.Unlock()
	s.c.Restart(t)
}
