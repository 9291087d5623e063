package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ehpc/client"
)

// Server is a service in a process of its own.
type Server struct {
	Client *client.Client
	Config client.Config // what Client was made of
	Dir    string        // its data directory
	Log    *Log          // of all its lives

	t     testing.TB
	args  []string // of the command that runs it
	cmd   *exec.Cmd
	ended chan error
}

// startLimit bounds the start of a service on an image that is there.
const startLimit = 3 * time.Minute

// Start runs a service until the test is over. Then it must have no clusters
// left, end by itself when asked to, and leave nothing on the host.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartWith(t)
}

// StartWith is Start with more on the service's command line.
func StartWith(t testing.TB, flags ...string) *Server {
	t.Helper()
	return start(t, func(dir string) []string {
		return append([]string{"dev", "--data", dir, "--listen", "127.0.0.1:0"}, flags...)
	})
}

// StartOn is Start for a service that is configured, with its store at the address.
func StartOn(t testing.TB, store string) *Server {
	t.Helper()
	return start(t, func(dir string) []string {
		file := filepath.Join(dir, "ehpc.yaml")
		Must(t, os.WriteFile(file, fmt.Appendf(nil, "data: %s\nlisten: 127.0.0.1:0\nstore: %s\novercommit: {cores: 16, memory: 2}\n", dir, store), 0o600))
		return []string{"server", "--config", file}
	})
}

func start(t testing.TB, args func(dir string) []string) *Server {
	t.Helper()
	Program(t, "ehpc")
	dir, err := os.MkdirTemp("/var/tmp", "ehpc-e2e-") // /tmp may be a file system that nodes cannot stand on
	Must(t, err)
	s := &Server{Dir: dir, Log: newLog(), t: t, args: args(dir)}
	t.Cleanup(func() { s.end(t) })
	s.Restart(t)
	return s
}

// Restart starts the service again after Kill, on the same data directory.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	place := s.Log.Len()
	s.cmd = exec.Command(Program(t, "ehpc"), s.args...)
	s.cmd.Stdout, s.cmd.Stderr = s.Log, s.Log
	s.cmd.WaitDelay = 5 * time.Second
	Must(t, s.cmd.Start())
	s.ended = make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	go func(cmd *exec.Cmd, ended chan<- error) {
		ended <- cmd.Wait()
		cancel()
	}(s.cmd, s.ended)
	serving := func(text []byte) bool { return bytes.Contains(text, []byte("msg=serving")) }
	if s.Log.Await(ctx, place, serving) == nil {
		t.Fatalf("the service did not start:\n%s", s.Log.Tail())
	}
	s.Config = credentials(t, filepath.Join(s.Dir, "credentials.env"))
	var err error
	s.Client, err = client.New(s.Config)
	Must(t, err)
}

// Run runs a command of the program to its end, which must be a good one.
func Run(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command(Program(t, "ehpc"), args...).CombinedOutput(); err != nil {
		t.Fatalf("ehpc %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Kill ends the service at once, whatever it is doing.
func (s *Server) Kill() {
	s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

// PID is the service's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Do calls an action that must succeed; response may be nil.
func (s *Server) Do(t testing.TB, request, response any) {
	t.Helper()
	if err := s.Client.Do(t.Context(), request, response); err != nil {
		t.Fatalf("%T: %v", request, err)
	}
}

// Refused calls an action that must be refused with the code, and returns the message.
func (s *Server) Refused(t testing.TB, code string, request any) string {
	t.Helper()
	err := s.Client.Do(t.Context(), request, nil)
	var refused *client.Error
	if !errors.As(err, &refused) || refused.Code != code {
		t.Errorf("%T is answered %v, want %s", request, err, code)
		return ""
	}
	return refused.Message
}

// end removes what a failed test left, ends the service and looks at the host.
func (s *Server) end(t testing.TB) {
	if s.cmd != nil {
		select {
		case err := <-s.ended:
			t.Errorf("the service has ended by itself: %v", err)
			s.cmd = nil
		default:
		}
	}
	for _, id := range clustersIn(s.Dir) {
		if !t.Failed() {
			t.Errorf("cluster %s was left", id)
		}
	}
	if s.cmd != nil {
		s.term(t)
	}
	if t.Failed() {
		t.Logf("the end of the service's log:\n%s", s.Log.Tail())
	}
	Must(t, removeAll(s.Dir))
	for _, left := range leftOf(t, s.Dir) {
		t.Errorf("still on the host: %s", left)
	}
	Must(t, os.RemoveAll(s.Dir))
}

func (s *Server) term(t testing.TB) {
	Must(t, s.cmd.Process.Signal(syscall.SIGTERM))
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("the service ended: %v", err)
		}
	case <-limit.C:
		t.Error("the service did not end when it was asked to")
		s.Kill()
	}
}

func credentials(t testing.TB, file string) client.Config {
	t.Helper()
	text, err := os.ReadFile(file)
	Must(t, err)
	values := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = value
	}
	return client.Config{Endpoint: values["EHPC_ENDPOINT"], AccessKeyID: values["ALIBABA_CLOUD_ACCESS_KEY_ID"],
		AccessKeySecret: values["ALIBABA_CLOUD_ACCESS_KEY_SECRET"], Region: values["EHPC_REGION"]}
}
