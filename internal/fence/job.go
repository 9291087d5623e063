package fence

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// askFor is how long a script waits for an agent that is away, for its node to
	// know its account, or for an earlier run of its job to end.
	askFor  = 5 * time.Minute
	askEach = 100 * time.Millisecond
	// notStarted is a shell's exit status for a command that cannot be run.
	notStarted = 126
)

// Started is what a scheduler tells a script in its environment.
type Started struct {
	ID       string // as its submission was answered: of an array, the array's
	Own      string // of an array's task, its own
	Task     string // "" for a plain job
	Restarts int
}

// RunJob is the whole life of the process that stands for a run: it claims the
// run, runs the script, and writes down its end. It does not return: its exit
// status, or the signal that it dies by, is the script's.
func RunJob(socket, argument string, script []string, engines map[string]func(env func(string) string) (Started, error)) error {
	// Nobody may use the file that it holds, or what it may do, through it.
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
	r, file, err := ask(socket, question{Token: w.token, Task: s.Task, ID: s.ID, Own: s.Own, Restarts: s.Restarts}, sent.stopped)
	switch {
	case errors.Is(err, errStopped):
		fmt.Fprintf(os.Stderr, "ehpc: job %s was told to stop before it began\n", s.ID)
		leave(end{Signal: sigTerm})
	case err != nil:
		return fmt.Errorf("cannot claim job %s: %w", s.ID, err)
	case r.Verdict == End:
		fmt.Fprintf(os.Stderr, "ehpc: job %s does not run: %s\n", s.ID, r.Why)
		os.Exit(r.Code)
	}
	how := execute(slices.Concat(w.argv, script), sent)
	if _, err := file.Write(line(runLine{End: &how, At: time.Now().UTC()})); err != nil {
		fmt.Fprintf(os.Stderr, "ehpc: cannot write down the end of job %s: %v\n", s.ID, err)
	} else if err := file.Sync(); err != nil {
		fmt.Fprintf(os.Stderr, "ehpc: the end of job %s may not survive a power cut: %v\n", s.ID, err)
	}
	tellEnding(socket)
	leave(how)
	return nil
}

// tellWithin is how long the end of a run waits to be measured.
const tellWithin = time.Second

// tellEnding has the node's agent measure the job while it can. Without it what
// it used at last may be missing.
func tellEnding(socket string) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return
	}
	defer conn.Close()
	text, err := json.Marshal(question{Ending: true})
	if err == nil && conn.SetDeadline(time.Now().Add(tellWithin)) == nil {
		if _, err = conn.Write(text); err == nil {
			conn.Read(make([]byte, messageLimit)) // that it answers is what matters
		}
	}
}

// errStopped is what a script comes to that was told to stop before it began.
var errStopped = errors.New("it was told to stop")

// ask claims the run, again and again while the agent is away or says to wait,
// and gives up when the script is told to stop.
func ask(socket string, q question, stopped <-chan struct{}) (reply, *os.File, error) {
	deadline := time.Now().Add(askFor)
	for {
		r, file, err := askOnce(socket, q, stopped)
		switch {
		case err == nil && r.Error == "" && r.Verdict != Wait:
			return r, file, nil
		case err == nil:
			err = errors.New(r.Error + r.Why)
		}
		if time.Now().After(deadline) {
			return r, nil, fmt.Errorf("in vain for %v: %w", askFor, err)
		}
		select {
		case <-stopped:
			return r, nil, errStopped
		case <-time.After(askEach):
		}
	}
}

func askOnce(socket string, q question, stopped <-chan struct{}) (r reply, file *os.File, err error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return r, nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * answerWithin)); err != nil {
		return r, nil, err
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
		return r, nil, err
	}
	if _, err := conn.Write(text); err != nil {
		return r, nil, err
	}
	text, rights := make([]byte, messageLimit), make([]byte, unix.CmsgSpace(4))
	n, m, _, _, err := conn.ReadMsgUnix(text, rights)
	if err != nil {
		return r, nil, err
	}
	if err := json.Unmarshal(text[:n], &r); err != nil || r.Verdict != Begin {
		return r, nil, err
	}
	file, err = passed(rights[:m])
	return r, file, err
}

// passed is the file that came with a message.
func passed(rights []byte) (*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("the answer came without the run's file: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("the answer came without the run's file: %w", err)
	}
	syscall.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "run"), nil
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
