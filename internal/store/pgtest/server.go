package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL that runs.
type Server struct {
	dir  string
	args []string
	cmd  *exec.Cmd
	done chan error
}

// binDir is where PostgreSQL's programs are: in PATH or where Debian has them.
func binDir() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	slices.Sort(found)
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	if name, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(name), nil
	}
	return "", errors.New("PostgreSQL is not installed: apt-get install postgresql")
}

// Start makes a database in a temporary directory and serves it.
func Start(args ...string) (*Server, error) {
	dir, err := os.MkdirTemp("", "ehpc-pg-") // short: a socket's path has 107 bytes
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, args: args}
	if err := s.init(); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot make a database for tests: %w", err), os.RemoveAll(dir))
	}
	if err := s.Run(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// init makes the database. PostgreSQL refuses to run as root.
func (s *Server) init() error {
	cred, err := unprivileged()
	if err != nil {
		return err
	}
	if cred != nil {
		if err := os.Chown(s.dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return err
		}
	}
	cmd, err := s.command("initdb", "-D", filepath.Join(s.dir, "data"), "-U", "ehpc", "-A", "trust", "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// Run starts the server and waits until it answers.
func (s *Server) Run() error {
	cmd, err := s.command("postgres", append([]string{"-D", filepath.Join(s.dir, "data"), "-k", s.dir,
		"-c", "listen_addresses=", "-c", "max_connections=400", "-c", "shared_buffers=32MB"}, s.args...)...)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	started := make(chan error)
	s.cmd, s.done = cmd, make(chan error, 1)
	go func() {
		// The parent-death signal is sent when the thread that started it ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			s.done <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("cannot start PostgreSQL: %w", err)
	}
	return s.await()
}

func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		conn, err := pgx.Connect(ctx, s.url())
		if err == nil {
			tick.Stop()
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case ended := <-s.done:
			tail, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("PostgreSQL ended at once: %v: %s", ended, tail)
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("PostgreSQL does not answer: %w", err), s.Kill())
		}
	}
}

// Kill ends the server and all of its processes at once, without writing what is
// in memory: the next Run recovers as after a crash.
func (s *Server) Kill() error {
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	<-s.done
	return nil
}

// Stop ends the server and removes its database.
func (s *Server) Stop() error {
	err := s.cmd.Process.Signal(syscall.SIGINT) // a fast shutdown
	if err == nil {
		<-s.done
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *Server) url() string {
	return "postgres://ehpc@/postgres?host=" + url.QueryEscape(s.dir)
}

func (s *Server) command(name string, args ...string) (*exec.Cmd, error) {
	bin, err := binDir()
	if err != nil {
		return nil, err
	}
	cred, err := unprivileged()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Pdeathsig: syscall.SIGQUIT}
	return cmd, nil
}

// unprivileged is who PostgreSQL runs as where the tests run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}
