package fence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	askEach = 100 * time.Millisecond
	// patience is how long a script waits without a word.
	patience = time.Minute
	// notStarted is a shell's exit status for a command that cannot be run.
	notStarted = 126
)

// Started is what a scheduler tells a script in its environment.
type Started struct {
	ID       string // as its submission was answered: of an array, the array's
	Task     string // "" for a plain job
	Restarts int
}

// RunJob is the whole life of the process that stands for a run: it claims the
// run, runs the script, and tells its end to the node's agent, which writes it
// down. It does not return: its exit status, or the signal that it dies by, is the
// script's.
func RunJob(socket, argument string, script []string, engines map[string]func(env func(string) string) (Started, error)) error {
	// Nobody may use through it what it may do: to say how its run ended.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot protect itself: %w", err)
	}
	w, err := unwrap(argument)
	if err != nil {
		return err
	}
	started := engines[w.engine]
	if started == nil {
		return fmt.Errorf("this agent knows no scheduler %q", w.engine)
	}
	s, err := started(os.Getenv)
	if err != nil {
		return fmt.Errorf("cannot tell which job this is: %w", err)
	}
	// From here on, whoever caught signals before: a script that was told to stop
	// before it began does not begin.
	sent := catchSignals()
	claim := question{Token: os.Getenv(TokenVariable), Task: s.Task, ID: s.ID, Restarts: s.Restarts}
	r, err := insist(socket, claim, "job "+s.ID+" has not begun", sent.stopped)
	if errors.Is(err, errStopped) {
		fmt.Fprintf(os.Stderr, "ehpc: job %s was told to stop before it began\n", s.ID)
		leave(end{Signal: sigTerm})
	}
	if err != nil {
		return fmt.Errorf("cannot claim job %s: %w", s.ID, err)
	}
	if r.Verdict == End {
		fmt.Fprintf(os.Stderr, "ehpc: job %s does not run: %s\n", s.ID, r.Why)
		os.Exit(r.Code)
	}
	if err := os.Unsetenv(TokenVariable); err != nil { // what the script submits is another job
		return err
	}
	how := execute(slices.Concat(w.argv, script), sent)
	_, err = insist(socket, question{End: &how}, "the end of job "+s.ID+" is not written down", nil)
	if err != nil {
		fmt.Fprintf(os.Stderr, "ehpc: the end of job %s is not written down: %v\n", s.ID, err)
	}
	leave(how)
	return nil
}

// errStopped is what a script comes to that was told to stop before it began.
var errStopped = errors.New("it was told to stop")

// insist asks again and again, while the agent is away, fails, or says to wait. It
// gives up when the script is told to stop, which is never for a nil channel. After
// a while it says in the job's output what is so and why.
func insist(socket string, q question, so string, stopped <-chan struct{}) (reply, error) {
	said, began := false, time.Now()
	for {
		r, err := ask(socket, q, stopped)
		switch {
		case err == nil && r.Stranger:
			return r, errors.New(r.Error)
		case err == nil && r.Error == "" && r.Verdict != Wait:
			return r, nil
		case err == nil:
			err = errors.New(r.Error + r.Why)
		}
		if !said && time.Since(began) > patience {
			said = true
			fmt.Fprintf(os.Stderr, "ehpc: %s yet, and waits: %v\n", so, err)
		}
		select {
		case <-stopped:
			return r, errStopped
		case <-time.After(askEach):
		}
	}
}

// ask puts one question to the node's agent.
func ask(socket string, q question, stopped <-chan struct{}) (r reply, err error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return r, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * answerWithin)); err != nil {
		return r, err
	}
	answered := make(chan struct{})
	defer close(answered)
	go func() {
		select {
		case <-stopped:
			conn.Close() // a question that nobody stands behind any more is granted nothing
		case <-answered:
		}
	}()
	text, err := json.Marshal(q)
	if err != nil {
		return r, err
	}
	if _, err := conn.Write(text); err != nil {
		return r, err
	}
	text = make([]byte, messageLimit)
	n, err := conn.Read(text)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return r, errors.New("the node's agent does not take its question")
	}
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text[:n], &r)
}

// execute runs the script to its end.
func execute(argv []string, sent *signals) end {
	cmd := exec.Command(argv[0])
	cmd.Args = argv
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := sent.begin(cmd)
	if errors.Is(err, errStopped) {
		return end{Signal: sigTerm, Told: true}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "ehpc: cannot run the script: %v\n", err)
		return end{Code: notStarted}
	}
	cmd.Wait()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return end{Signal: int(status.Signal()), Told: sent.toldToStop()}
	}
	return end{Code: status.ExitStatus(), Told: sent.toldToStop()}
}

// leave ends this process as the script ended. A shell in its place can die by
// any signal; this program's runtime makes something else of some.
func leave(how end) {
	if how.Signal == 0 {
		os.Exit(how.Code)
	}
	syscall.Exec("/bin/sh", []string{"sh", "-c", fmt.Sprintf("ulimit -c 0; kill -%d $$", how.Signal)}, nil)
	os.Exit(128 + how.Signal)
}
