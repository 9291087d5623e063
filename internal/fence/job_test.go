package fence

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ehpc/internal/hpc"
)

// TestMain makes this program the interpreter of the scripts that it wraps.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && strings.HasPrefix(os.Args[1], RunCommand+" ") {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM) // as a program may that does other things, too
		err := RunJob(os.Getenv("SOCKET"), os.Args[1], os.Args[2:], map[string]func(func(string) string) (Started, error){
			"test": func(env func(string) string) (Started, error) {
				restarts, _ := strconv.Atoi(env("RESTARTS"))
				return Started{ID: env("ID"), Task: env("TASK"), Restarts: restarts}, nil
			},
		})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
	os.Exit(m.Run())
}

// node is a desk that takes claims, and a directory for scripts.
type node struct {
	*testing.T
	desk   *Desk
	socket string
	dir    string
}

func openNode(t *testing.T, j *Journal) *node {
	n := newNode(t, j)
	l, err := Listen(n.socket)
	must(t, err)
	n.serve(l)
	return n
}

// newNode is one that takes no claims yet.
func newNode(t *testing.T, j *Journal) *node {
	n := &node{T: t, dir: t.TempDir()}
	n.socket = filepath.Join(n.dir, "s")
	watch, err := NewWatch(j, filepath.Join(n.dir, "runs"), func() {}, slog.New(slog.DiscardHandler))
	must(t, err)
	n.desk = &Desk{Journal: j, Watch: watch, Host: "a", Boot: "1", Job: func(int) string { return "7" }}
	return n
}

func (n *node) serve(l *net.UnixListener) {
	done := make(chan struct{})
	go func() { n.desk.Serve(l); close(done) }()
	n.Cleanup(func() { l.Close(); <-done })
}

// settled waits until no claim is in work.
func (n *node) settled() {
	n.Helper()
	n.until("every claim is answered", func() bool {
		n.desk.room.mu.Lock()
		defer n.desk.room.mu.Unlock()
		return n.desk.room.all == 0
	})
}

// own is a submitted job of the account that the test runs as.
func own(t *testing.T, change func(*hpc.JobSpec)) *Journal {
	return accepted(t, func(s *hpc.JobSpec) {
		s.UID = os.Getuid()
		if change != nil {
			change(s)
		}
	})
}

// start starts a script as a scheduler does.
func (n *node) start(script string, env ...string) (*exec.Cmd, *bytes.Buffer) {
	n.Helper()
	program, err := os.Executable()
	must(n.T, err)
	text, err := Wrap(program, "test", script)
	must(n.T, err)
	path := filepath.Join(n.dir, "script")
	must(n.T, os.WriteFile(path, []byte(text), 0o700))
	for {
		out := &bytes.Buffer{}
		cmd := exec.Command(path, "an argument")
		cmd.Env = append([]string{"ID=7", TokenVariable + "=ehpct", "SOCKET=" + n.socket, "PATH=" + os.Getenv("PATH")}, env...)
		cmd.Stdout, cmd.Stderr = out, out
		err := cmd.Start()
		if errors.Is(err, syscall.ETXTBSY) { // a process that another test is starting has it open for a moment
			continue
		}
		must(n.T, err)
		return cmd, out
	}
}

func (n *node) run(script string, env ...string) (syscall.WaitStatus, string) {
	n.Helper()
	cmd, out := n.start(script, env...)
	cmd.Wait()
	return cmd.ProcessState.Sys().(syscall.WaitStatus), out.String()
}

func (n *node) until(what string, yes func() bool) {
	n.Helper()
	for deadline := time.Now().Add(time.Minute); !yes(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.Fatalf("waited in vain until %s", what)
		}
	}
}

// over waits until the only run of the job is over.
func (n *node) over() (run hpc.Run) {
	n.Helper()
	n.until("the run is over", func() bool {
		runs, err := n.desk.Journal.Runs("ehpct")
		must(n.T, err)
		if len(runs) == 1 {
			run = runs[0]
		}
		return run.Over()
	})
	return run
}

func TestARunIsLookedAtWhenItBeginsAndBeforeItsProcessIsGone(t *testing.T) {
	t.Parallel()
	n := openNode(t, own(t, nil))
	var mu sync.Mutex
	var looks []string
	n.desk.Look = func(pid int) {
		state := "gone"
		if _, err := processBegan(pid); err == nil {
			state = "there"
		}
		_, err := os.Stat(filepath.Join(n.dir, "done"))
		mu.Lock()
		defer mu.Unlock()
		looks = append(looks, fmt.Sprintf("%s %t", state, err == nil))
	}
	if status, out := n.run("#!/bin/sh\ntouch " + filepath.Join(n.dir, "done")); status.ExitStatus() != 0 {
		t.Fatalf("the script ended with %d: %s", status.ExitStatus(), out)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(looks, []string{"there false", "there true"}) {
		t.Errorf("it was looked at %q", looks)
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	t.Run("one runs as it would without the claim, and once", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		status, out := n.run("#!/bin/bash -u\necho $0 \"$1\" $LINENO\nexit 7\n")
		if status.ExitStatus() != 7 || out != n.dir+"/script an argument 2\n" {
			t.Errorf("it ended %d and printed %q", status.ExitStatus(), out)
		}
		if r := n.over(); r.ExitCode != 7 || r.Killed != "" || r.Host != "a" {
			t.Errorf("written down is %+v", r)
		}
		status, out = n.run("#!/bin/bash -u\necho again\n")
		if status.ExitStatus() != 7 || out != "ehpc: job 7 does not run: it has run already\n" {
			t.Errorf("the second time it ended %d and printed %q", status.ExitStatus(), out)
		}
	})
	t.Run("one waits for its node to know its account", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		var asked atomic.Int32
		known := make(chan struct{})
		n.desk.Knows = func(uid int) error {
			asked.Add(1)
			select {
			case <-known:
				return nil
			default:
				return fmt.Errorf("%w: uid %d", hpc.ErrUnknownAccount, uid)
			}
		}
		cmd, out := n.start("#!/bin/sh\necho begun\n")
		n.until("it has asked again", func() bool { return asked.Load() > 1 })
		if runs, err := n.desk.Journal.Runs("ehpct"); err != nil || len(runs) > 0 {
			t.Errorf("written down are %v, %v", runs, err)
		}
		close(known)
		if err := cmd.Wait(); err != nil || out.String() != "begun\n" {
			t.Errorf("it ended %v and printed %q", err, out)
		}
		if r := n.over(); r.N != 1 {
			t.Errorf("written down is %+v", r)
		}
	})
	t.Run("one that was stopped ends on a node that does not know its account", func(t *testing.T) {
		t.Parallel()
		j := own(t, nil)
		must(t, j.Bury("ehpct"))
		n := openNode(t, j)
		n.desk.Knows = func(int) error { return hpc.ErrUnknownAccount }
		if status, out := n.run("#!/bin/sh\necho begun\n"); status.ExitStatus() != 128+sigTerm {
			t.Errorf("it ended %d and printed %q", status.ExitStatus(), out)
		}
	})
	t.Run("it may be in any language", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		if _, out := n.run("#! /usr/bin/env perl\nprint \"$0 line \" . __LINE__;\n"); out != n.dir+"/script line 2" {
			t.Errorf("it printed %q", out)
		}
	})
	t.Run("one that dies by a signal dies by it", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		if status, out := n.run("#!/bin/sh\nkill -SEGV $$\n"); !status.Signaled() || status.Signal() != syscall.SIGSEGV {
			t.Errorf("it ended %v and printed %q", status, out)
		}
		if r := n.over(); r.ExitCode != 128+11 || r.Killed != "" {
			t.Errorf("written down is %+v", r)
		}
	})
	t.Run("one without its interpreter fails", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		if status, out := n.run("#!/nosuch\n"); status.ExitStatus() != notStarted || !strings.Contains(out, "/nosuch") {
			t.Errorf("it ended %v and printed %q", status, out)
		}
	})
	t.Run("signals reach it", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		ready := filepath.Join(n.dir, "ready")
		cmd, _ := n.start("#!/bin/sh\ntrap 'exit 3' USR1\ntouch " + ready + "\nwhile :; do sleep 0.01; done\n")
		n.until("it is ready", func() bool { _, err := os.Stat(ready); return err == nil })
		must(t, cmd.Process.Signal(syscall.SIGUSR1))
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 3 {
			t.Errorf("it ended %d", code)
		}
	})
	t.Run("the death of one without an end is written down", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		pid := filepath.Join(n.dir, "pid")
		cmd, _ := n.start("#!/bin/sh\necho $$ >" + pid + ".new; mv " + pid + ".new " + pid + "\nexec sleep 300\n")
		n.until("the script runs", func() bool { _, err := os.Stat(pid); return err == nil })
		must(t, cmd.Process.Kill())
		text, err := os.ReadFile(pid)
		must(t, err)
		script, err := strconv.Atoi(strings.TrimSpace(string(text)))
		must(t, err)
		must(t, syscall.Kill(script, syscall.SIGKILL)) // as its scheduler would
		cmd.Wait()
		if r := n.over(); r.Killed == "" {
			t.Errorf("written down is %+v", r)
		}
	})
	t.Run("an agent that comes later settles what died meanwhile", func(t *testing.T) {
		t.Parallel()
		j, dir := own(t, nil), t.TempDir()
		cmd := exec.Command("sleep", "300")
		must(t, cmd.Start())
		before := &Watch{journal: j, dir: dir, watched: map[string]*watchedRun{}}
		c := first
		c.Token, c.PID = "ehpct", cmd.Process.Pid
		_, run, err := j.Claim(c, os.Getuid(), before.note) // and it was killed before it watched
		must(t, err)
		unsettled, err := NewWatch(j, dir, func() {}, slog.New(slog.DiscardHandler))
		must(t, err)
		unsettled.mu.Lock()
		watched := unsettled.watched[unsettled.path(run)] != nil
		unsettled.mu.Unlock()
		if r, err := j.run("ehpct", "", run.N); err != nil || r.Over() || !watched {
			t.Errorf("while it lives it is %+v, %v", r, err)
		}
		must(t, cmd.Process.Kill())
		cmd.Wait()
		n := &node{T: t, desk: &Desk{Journal: j}}
		if r := n.over(); r.Killed == "" {
			t.Errorf("written down is %+v", r)
		}
	})
	t.Run("a script that no agent answers waits", func(t *testing.T) {
		t.Parallel()
		j := own(t, nil)
		n := &node{T: t, dir: t.TempDir(), desk: &Desk{Journal: j}}
		n.socket = filepath.Join(n.dir, "s")
		cmd, out := n.start("#!/bin/sh\necho ran\n")
		again := openNode(t, j)
		must(t, os.Symlink(again.socket, n.socket))
		cmd.Wait()
		if out.String() != "ran\n" {
			t.Errorf("it printed %q", out)
		}
	})
}

// A script that is told to stop before it began never begins: its job is shown as
// cancelled at once.
func TestAScriptThatIsToldToStopBeforeItBegan(t *testing.T) {
	t.Parallel()
	const script = "#!/bin/sh\necho begun\n"
	// dies waits for the script to die as one does that is told to stop.
	dies := func(t *testing.T, cmd *exec.Cmd, out *bytes.Buffer) {
		t.Helper()
		late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		defer late.Stop()
		cmd.Wait()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !status.Signaled() || status.Signal() != syscall.SIGTERM || strings.Contains(out.String(), "begun") {
			t.Errorf("it ended %v and printed %q", cmd.ProcessState, out)
		}
	}
	// neverBegan holds that no run was granted, and none is when the agent answers.
	neverBegan := func(t *testing.T, n *node) {
		t.Helper()
		if runs, err := n.desk.Journal.Runs("ehpct"); err != nil || len(runs) > 0 {
			t.Errorf("written down are %+v, %v", runs, err)
		}
	}
	t.Run("while its claim waits", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		var asked atomic.Int32
		n.desk.Knows = func(int) error { asked.Add(1); return hpc.ErrUnknownAccount }
		cmd, out := n.start(script)
		n.until("it has asked", func() bool { return asked.Load() > 0 })
		must(t, cmd.Process.Signal(syscall.SIGTERM))
		dies(t, cmd, out)
		neverBegan(t, n)
	})
	t.Run("while its agent hangs", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		hangs, goOn := make(chan struct{}, 8), make(chan struct{})
		n.desk.Knows = func(int) error { hangs <- struct{}{}; <-goOn; return nil }
		cmd, out := n.start(script)
		<-hangs
		must(t, cmd.Process.Signal(syscall.SIGTERM))
		dies(t, cmd, out)
		close(goOn)
		n.settled()
		neverBegan(t, n)
	})
	t.Run("or ends at once if its claim is granted at that moment", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		var once sync.Once
		n.desk.Look = func(pid int) { once.Do(func() { syscall.Kill(pid, syscall.SIGTERM) }) }
		cmd, _ := n.start("#!/bin/sh\nexec sleep 300\n") // the signal may be on its way when it begins
		dies(t, cmd, &bytes.Buffer{})
		if r := n.over(); r.Killed == "" {
			t.Errorf("written down is %+v", r)
		}
	})
	t.Run("other signals wait for it", func(t *testing.T) {
		t.Parallel()
		n := openNode(t, own(t, nil))
		var asked atomic.Int32
		known := make(chan struct{})
		n.desk.Knows = func(int) error {
			asked.Add(1)
			select {
			case <-known:
				return nil
			default:
				return hpc.ErrUnknownAccount
			}
		}
		cmd, _ := n.start("#!/bin/sh\nexec sleep 60\n")
		n.until("it has asked", func() bool { return asked.Load() > 0 })
		must(t, cmd.Process.Signal(syscall.SIGUSR1))
		close(known)
		cmd.Wait()
		if r := n.over(); r.ExitCode != 128+int(syscall.SIGUSR1) {
			t.Errorf("written down is %+v", r)
		}
	})
}

// An end is told until the agent has written it down, however long that is away.
func TestAnEndWaitsForItsAgent(t *testing.T) {
	t.Parallel()
	n := newNode(t, own(t, nil))
	l, err := Listen(n.socket)
	must(t, err)
	done := make(chan struct{})
	go func() { n.desk.Serve(l); close(done) }()
	goOn := filepath.Join(n.dir, "go-on")
	cmd, out := n.start("#!/bin/sh\nuntil test -e " + goOn + "; do sleep 0.01; done\nexit 5\n")
	n.until("it has begun", func() bool {
		runs, err := n.desk.Journal.Runs("ehpct")
		must(t, err)
		return len(runs) == 1
	})
	must(t, l.Close())
	<-done
	must(t, os.WriteFile(goOn, nil, 0o600))
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("without an agent it ended %v and printed %q", err, out)
	case <-time.After(3 * askEach):
	}
	watch, err := NewWatch(n.desk.Journal, filepath.Join(n.dir, "runs"), func() {}, slog.New(slog.DiscardHandler))
	must(t, err)
	n.desk.Watch = watch // of the agent that is started next
	l, err = Listen(n.socket)
	must(t, err)
	n.serve(l)
	<-ended
	if code := cmd.ProcessState.ExitCode(); code != 5 {
		t.Errorf("it ended %d and printed %q", code, out)
	}
	if r := n.over(); r.ExitCode != 5 || r.Killed != "" {
		t.Errorf("written down is %+v", r)
	}
}

func TestAScriptHearsNoToken(t *testing.T) {
	t.Parallel()
	n := openNode(t, own(t, nil))
	if status, out := n.run("#!/bin/sh\nenv\ntr '\\0' ' ' </proc/$PPID/cmdline\n"); status.ExitStatus() != 0 || strings.Contains(out, "ehpct") {
		t.Errorf("it ended %d and printed %q", status.ExitStatus(), out)
	}
}

// A question outlives who asked it in the socket of an agent that is away.
func TestAQuestionThatNobodyStandsBehindIsGrantedNothing(t *testing.T) {
	t.Parallel()
	n := newNode(t, own(t, nil))
	l, err := Listen(n.socket)
	must(t, err)
	conn, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	must(t, err)
	text, err := json.Marshal(question{Token: "ehpct", ID: "7"})
	must(t, err)
	_, err = conn.Write(text)
	must(t, err)
	must(t, conn.Close())
	n.serve(l)
	n.run("#!/bin/sh\n", "ID=8") // is answered after it
	n.settled()
	if runs, err := n.desk.Journal.Runs("ehpct"); err != nil || len(runs) > 0 {
		t.Errorf("written down are %+v, %v", runs, err)
	}
}
